#pragma once
// The timestep as the network sees it: sines and cosines, then two linear
// layers.

#include "models/nn/layers.h"

namespace sono {

struct SinusoidOptions {
  std::int64_t channels = 0;    // even
  bool flip_sin_to_cos = true;  // cosines first
  double freq_shift = 0;        // taken from the divisor channels / 2
};

// Numeric timesteps [B] -> fp32 [B, channels]. Ho et al. 2020, section 3.3;
// diffusers' get_timestep_embedding with max_period 10000 and scale 1.
at::Tensor sinusoidal_embedding(const at::Tensor& timesteps,
                                const SinusoidOptions& options);

// linear_1, SiLU, linear_2: [B, in] -> [B, out].
class TimestepEmbedding : public Module {
 public:
  TimestepEmbedding(std::int64_t in_features, std::int64_t out_features);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  Linear linear_1_, linear_2_;
};

}  // namespace sono
