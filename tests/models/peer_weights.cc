#include "tests/models/peer_weights.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "core/check.h"
#include "core/safetensors_header.h"
#include "models/io/safetensors.h"

namespace sono {
namespace {

std::uint64_t fnv1a(const std::string& name) {
  std::uint64_t value = 0xCBF29CE484222325;
  for (const char byte : name) {
    value = (value ^ static_cast<unsigned char>(byte)) * 0x100000001B3;
  }
  return value;
}

// [-1, 1), splitmix64.
double unit(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + index * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  return static_cast<double>(z >> 40) * 0x1p-23 - 1;
}

void draw(const std::string& name, at::Tensor tensor) {
  double centre = 0, reach = 0.3;
  if (tensor.dim() > 1) {
    reach = std::sqrt(3.0 * static_cast<double>(tensor.size(0)) /
                      static_cast<double>(tensor.numel()));
  } else if (name.find("norm") != std::string::npos &&
             name.ends_with(".weight")) {
    centre = 1;
  }
  const std::uint64_t seed = fnv1a(name);
  float* out = tensor.data_ptr<float>();
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    out[i] = static_cast<float>(
        centre + reach * unit(seed, static_cast<std::uint64_t>(i) + 1));
  }
}

std::string folder(bool& full) {
  const char* other = std::getenv("NETWORKS_FIXTURES");
  full = other != nullptr;
  return full ? other : SONO_SOURCE_DIR "/tests/parity/fixtures";
}

}  // namespace

void draw_peer_weights(Module& module, const std::string& prefix) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : module.named_parameters()) {
    draw(prefix + name, tensor);
  }
}

at::Tensor drawn_peer_weight(const std::string& name, at::IntArrayRef shape) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  draw(name, tensor);
  return tensor;
}

PeerFixture::PeerFixture(const std::string& name)
    : path_(folder(full_) + "/" + name + ".safetensors"),
      tensors_(load_safetensors(path_)) {}

const at::Tensor& PeerFixture::operator[](const std::string& key) const {
  const auto found = tensors_.find(key);
  SONO_CHECK(found != tensors_.end(), path_ << " has no " << key);
  return found->second;
}

ConfigJson PeerFixture::config() const {
  return {read_header(path_).metadata.at("config"), path_};
}

double PeerFixture::difference(const at::Tensor& got,
                               const std::string& key) const {
  const at::Tensor& wanted = (*this)[key];
  SONO_CHECK_EQ(got.sizes(), wanted.sizes());
  return (got - wanted).abs().max().item<double>();
}

double PeerFixture::error(const at::Tensor& got, const std::string& key) const {
  const double error = difference(got, key);
  if (full_) {
    std::printf("%s %s: max error %.2e, relative %.2e\n", path_.c_str(),
                key.c_str(), error, relative_error(got, (*this)[key]));
  }
  return error;
}

double relative_error(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).norm().item<double>() / b.norm().item<double>();
}

}  // namespace sono
