#pragma once
// Convolution, batch norm with stored statistics (epsilon 1e-3) and ReLU: the
// brick of Inception v3.

#include <array>

#include "models/nn/module.h"

namespace sono {

struct BasicConvOptions {
  std::array<std::int64_t, 2> kernel{1, 1};  // height, width
  std::int64_t stride = 1;
  std::array<std::int64_t, 2> padding{0, 0};
};

// Inference only: there is no training of an extractor here.
class BasicConv : public Module {
 public:
  BasicConv(std::int64_t in_channels, std::int64_t out_channels,
            BasicConvOptions options);
  // fp32 [B, in, H, W] -> [B, out, H', W']
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  class Convolution : public Module {
   public:
    Convolution(std::int64_t in, std::int64_t out, const BasicConvOptions& o);
    at::Tensor weight;
  };
  class BatchNorm : public Module {
   public:
    explicit BatchNorm(std::int64_t channels);
    at::Tensor weight, bias, running_mean, running_var;
  };

  BasicConvOptions options_;
  Convolution conv_;
  BatchNorm bn_;
};

}  // namespace sono
