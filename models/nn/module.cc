#include "models/nn/module.h"

#include <sys/mman.h>

#include <cmath>

#include "core/check.h"
#include "core/random.h"

namespace sono {
namespace {

void fill(at::Tensor tensor, const Initializer& initializer, Random random) {
  at::NoGradGuard no_grad;
  if (initializer.kind == Initializer::Kind::kConstant) {
    tensor.fill_(initializer.value);
    return;
  }
  at::Tensor values = at::empty(tensor.sizes(), at::kFloat);
  float* out = values.data_ptr<float>();
  const auto count = static_cast<std::size_t>(values.numel());
  if (initializer.kind == Initializer::Kind::kNormal) {
    random.fill_normal(out, count);
    values.mul_(initializer.value);
  } else {
    random.fill_uniform(out, count);
    values.mul_(2 * initializer.value).sub_(initializer.value);
  }
  tensor.copy_(values);
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += "\n    " + name;
  return text;
}

// Zeros whose pages do not exist until they are written: the parameters of a
// large model are about to be replaced by those of a file.
at::Tensor zeros(at::IntArrayRef shape) {
  constexpr std::int64_t kLarge = 1 << 18;
  const std::int64_t count = c10::multiply_integers(shape);
  if (count < kLarge) return at::zeros(shape, at::kFloat);
  const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(float);
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) {
    throw ResourceError("no memory for a parameter of " +
                        std::to_string(bytes) + " bytes");
  }
  return at::from_blob(
      data, shape, [bytes](void* begin) { ::munmap(begin, bytes); },
      at::TensorOptions(at::kFloat));
}

// One pass at the speed of memory: a NaN or an infinity in a tensor makes its
// sum one too. A sum may also overflow, so that then each element is asked.
bool is_finite(const at::Tensor& tensor) {
  if (!tensor.is_floating_point() || tensor.numel() == 0) return true;
  const auto sum = tensor.sum(tensor.scalar_type() == at::kDouble ? at::kDouble
                                                                  : at::kFloat);
  return std::isfinite(sum.item<double>()) ||
         at::isfinite(tensor).all().item<bool>();
}

void check_finite(const NamedTensors& tensors, const std::string& source) {
  std::vector<std::string> problems;
  for (const auto& [name, tensor] : tensors) {
    if (!is_finite(tensor)) problems.push_back(name);
  }
  if (problems.empty()) return;
  throw DataError(source +
                  ": holds NaN or infinity; take another copy of the " +
                  "weights:" + joined(problems));
}

}  // namespace

template <class Visitor>
void Module::visit(const std::string& prefix, const Visitor& visitor) const {
  visitor(prefix, *this);
  for (const auto& [name, child] : children_) {
    child->visit(prefix + name + ".", visitor);
  }
}

NamedTensors Module::named_parameters() const {
  NamedTensors all;
  visit("", [&](const std::string& prefix, const Module& module) {
    for (const auto& p : module.parameters_) {
      all.emplace_back(prefix + p.name, p.tensor);
    }
  });
  return all;
}

std::vector<at::Tensor> Module::borrowed_parameters() const {
  std::vector<at::Tensor> all;
  visit("", [&](const std::string&, const Module& module) {
    for (const at::Tensor& tensor : module.borrowed()) all.push_back(tensor);
  });
  return all;
}

std::vector<const Module*> Module::blocks() const {
  std::vector<const Module*> all;
  visit("", [&](const std::string&, const Module& module) {
    if (module.is_block()) all.push_back(&module);
  });
  return all;
}

NamedTensors Module::named_buffers() const {
  NamedTensors all;
  visit("", [&](const std::string& prefix, const Module& module) {
    for (const auto& [name, tensor] : module.buffers_) {
      all.emplace_back(prefix + name, tensor);
    }
  });
  return all;
}

std::vector<std::pair<std::string, Module*>> Module::named_modules() {
  std::vector<std::pair<std::string, Module*>> all = {{"", this}};
  for (const auto& [name, child] : children_) {
    for (const auto& [path, module] : child->named_modules()) {
      all.emplace_back(path.empty() ? name : name + "." + path, module);
    }
  }
  return all;
}

void Module::initialize(std::uint64_t seed) {
  visit("", [&](const std::string& prefix, const Module& module) {
    for (const auto& p : module.parameters_) {
      fill(p.tensor, p.initializer,
           Random(make_key("model.init." + prefix + p.name, seed)));
    }
  });
}

StateDict Module::state() const {
  StateDict all;
  for (const auto& [name, tensor] : named_parameters()) all[name] = tensor;
  for (const auto& [name, tensor] : named_buffers()) all[name] = tensor;
  return all;
}

void Module::check_fits(const StateDict& state,
                        const std::string& source) const {
  std::vector<std::string> problems;
  const StateDict own = this->state();
  for (const auto& [name, tensor] : own) {
    const auto found = state.find(name);
    if (found == state.end()) {
      problems.push_back("missing: " + name);
    } else if (found->second.sizes() != tensor.sizes()) {
      std::ostringstream text;
      text << "shape: " << name << " is " << found->second.sizes()
           << ", the model wants " << tensor.sizes();
      problems.push_back(text.str());
    } else if (found->second.is_floating_point() !=
               tensor.is_floating_point()) {
      problems.push_back(std::string("dtype: ") + name + " is " +
                         at::toString(found->second.scalar_type()) +
                         ", the model wants " +
                         at::toString(tensor.scalar_type()));
    }
  }
  for (const auto& [name, tensor] : state) {
    if (!own.count(name)) problems.push_back("unexpected: " + name);
  }
  if (problems.empty()) return;
  throw DataError(source + ": does not fit the model:" + joined(problems));
}

void Module::load_state(const StateDict& state, const std::string& source) {
  at::NoGradGuard no_grad;
  check_fits(state, source);
  for (const auto& [name, tensor] : this->state()) {
    tensor.copy_(state.at(name));
  }
}

void Module::adopt_state(const StateDict& state, const std::string& source,
                         at::ScalarType dtype) {
  at::NoGradGuard no_grad;
  check_fits(state, source);
  NamedTensors taken;
  for (const auto& [name, own] : this->state()) {
    const at::ScalarType type =
        own.is_floating_point() ? dtype : own.scalar_type();
    taken.emplace_back(name, state.at(name).detach().to(type).contiguous());
  }
  check_finite(taken, source);
  const StateDict own = this->state();
  for (const auto& [name, tensor] : taken) own.at(name).set_data(tensor);
}

void Module::to(const at::Device& device) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : state()) {
    at::Tensor moved = tensor;
    moved.set_data(tensor.to(device));
  }
}

at::Device Module::device() const {
  const auto parameters = named_parameters();
  if (!parameters.empty()) return parameters.front().second.device();
  const auto buffers = named_buffers();
  return buffers.empty() ? at::Device(at::kCPU)
                         : buffers.front().second.device();
}

void Module::requires_grad(bool value) {
  for (auto& [name, tensor] : named_parameters()) {
    tensor.set_requires_grad(value);
  }
}

at::Tensor Module::add_parameter(const std::string& name, at::IntArrayRef shape,
                                 Initializer initializer) {
  parameters_.push_back({name, zeros(shape), initializer});
  return parameters_.back().tensor;
}

at::Tensor Module::add_buffer(const std::string& name, at::Tensor value) {
  buffers_.emplace_back(name, value);
  return value;
}

void Module::add_module(const std::string& name, Module& child) {
  children_.emplace_back(name, &child);
}

}  // namespace sono
