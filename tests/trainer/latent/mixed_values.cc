#include "tests/trainer/latent/mixed_values.h"

#include <algorithm>

namespace sono {

at::Tensor mixed(std::uint64_t stream, at::IntArrayRef shape) {
  at::Tensor values = at::empty(shape, at::kFloat);
  float* out = values.data_ptr<float>();
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(values.numel());
       ++i) {
    std::uint64_t x = (i + (stream << 40)) * 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    x = x ^ (x >> 31);
    const auto top = static_cast<std::int64_t>(x >> 40);
    out[i] = static_cast<float>(top - (1 << 23)) / static_cast<float>(1 << 23);
  }
  return values;
}

void fill_mixed(NamedTensors parameters, double scale, double norm_scale) {
  const at::NoGradGuard no_grad;
  std::sort(parameters.begin(), parameters.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    auto& [name, parameter] = parameters[k];
    const at::Tensor values = mixed(k, parameter.sizes());
    const bool is_norm =
        name.find("norm") != std::string::npos && name.ends_with("weight");
    parameter.copy_(is_norm ? 1 + norm_scale * values : scale * values);
  }
}

}  // namespace sono
