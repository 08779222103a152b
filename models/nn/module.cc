#include "models/nn/module.h"

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

void Module::load_state(const StateDict& state, const std::string& source) {
  at::NoGradGuard no_grad;
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
    }
  }
  for (const auto& [name, tensor] : state) {
    if (!own.count(name)) problems.push_back("unexpected: " + name);
  }
  if (!problems.empty()) {
    throw DataError(source + ": does not fit the model:" + joined(problems));
  }
  for (const auto& [name, tensor] : own) tensor.copy_(state.at(name));
}

void Module::requires_grad(bool value) {
  for (auto& [name, tensor] : named_parameters()) {
    tensor.set_requires_grad(value);
  }
}

at::Tensor Module::add_parameter(const std::string& name, at::IntArrayRef shape,
                                 Initializer initializer) {
  parameters_.push_back({name, at::zeros(shape, at::kFloat), initializer});
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
