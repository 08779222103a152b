#include "models/unet/timestep_embedding.h"

#include <cmath>

namespace sono {

at::Tensor sinusoidal_embedding(const at::Tensor& timesteps,
                                const SinusoidOptions& options) {
  const std::int64_t half = options.channels / 2;
  const double divisor = static_cast<double>(half) - options.freq_shift;
  const at::Tensor exponent =
      at::arange(half, timesteps.options().dtype(at::kFloat))
          .mul(-std::log(10000.0))
          .div(divisor);
  const at::Tensor angle =
      timesteps.to(at::kFloat).unsqueeze(1) * exponent.exp().unsqueeze(0);
  return options.flip_sin_to_cos ? at::cat({angle.cos(), angle.sin()}, 1)
                                 : at::cat({angle.sin(), angle.cos()}, 1);
}

TimestepEmbedding::TimestepEmbedding(std::int64_t in_features,
                                     std::int64_t out_features)
    : linear_1_(in_features, out_features),
      linear_2_(out_features, out_features) {
  add_module("linear_1", linear_1_);
  add_module("linear_2", linear_2_);
}

at::Tensor TimestepEmbedding::operator()(const at::Tensor& x) const {
  return linear_2_(at::silu(linear_1_(x)));
}

}  // namespace sono
