#include "models/inception/basic_conv.h"

namespace sono {

BasicConv::Convolution::Convolution(std::int64_t in, std::int64_t out,
                                    const BasicConvOptions& o)
    : weight(add_parameter("weight", {out, in, o.kernel[0], o.kernel[1]})) {}

BasicConv::BatchNorm::BatchNorm(std::int64_t channels)
    : weight(add_parameter("weight", {channels})),
      bias(add_parameter("bias", {channels})),
      running_mean(add_buffer("running_mean", at::zeros({channels}))),
      running_var(add_buffer("running_var", at::ones({channels}))) {}

BasicConv::BasicConv(std::int64_t in_channels, std::int64_t out_channels,
                     BasicConvOptions options)
    : options_(options),
      conv_(in_channels, out_channels, options),
      bn_(out_channels) {
  add_module("conv", conv_);
  add_module("bn", bn_);
}

at::Tensor BasicConv::operator()(const at::Tensor& x) const {
  constexpr double kEpsilon = 1e-3;
  const at::Tensor y =
      at::conv2d(x, conv_.weight, {}, options_.stride, options_.padding);
  return at::relu(at::batch_norm(y, bn_.weight, bn_.bias, bn_.running_mean,
                                 bn_.running_var, /*training=*/false,
                                 /*momentum=*/0, kEpsilon,
                                 /*cudnn_enabled=*/false));
}

}  // namespace sono
