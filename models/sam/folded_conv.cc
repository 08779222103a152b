#include "models/sam/folded_conv.h"

#include <cmath>

#include "core/check.h"

namespace sono {
namespace {

constexpr double kBatchNormEps = 1e-5;

}  // namespace

FoldedConv::FoldedConv(std::int64_t in_channels, std::int64_t out_channels,
                       std::int64_t kernel, std::int64_t stride)
    : kernel_(kernel), stride_(stride) {
  const bool depthwise = kernel == kDepthwise;
  SONO_CHECK(depthwise ? in_channels == out_channels : stride == 1,
             "a 1x1 convolution of stride 1 or a depthwise 3x3");
  const std::int64_t group_in = depthwise ? 1 : in_channels;
  const double bound =
      1.0 / std::sqrt(static_cast<double>(group_in * kernel * kernel));
  conv_weight_ =
      add_parameter("c.weight", {out_channels, group_in, kernel, kernel},
                    {Initializer::Kind::kUniform, bound});
  weight_ = add_parameter("bn.weight", {out_channels},
                          {Initializer::Kind::kConstant, 1.0});
  bias_ = add_parameter("bn.bias", {out_channels});
  mean_ = add_buffer("bn.running_mean", at::zeros({out_channels}));
  variance_ = add_buffer("bn.running_var", at::ones({out_channels}));
  add_buffer("bn.num_batches_tracked", at::zeros({}, at::kLong));
}

void FoldedConv::fold() {
  at::NoGradGuard no_grad;
  const at::Tensor scale = weight_ / (variance_ + kBatchNormEps).sqrt();
  folded_bias_ = bias_ - mean_ * scale;
  const at::Tensor folded = conv_weight_ * scale.view({-1, 1, 1, 1});
  folded_weight_ = kernel_ == 1
                       ? folded.flatten(1).contiguous()
                       : folded.contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor FoldedConv::operator()(const at::Tensor& x) const {
  SONO_CHECK(folded_weight_.defined(), "call fold() after loading");
  if (kernel_ == 1) return at::linear(x, folded_weight_, folded_bias_);
  const at::Tensor image = x.permute({0, 3, 1, 2});
  return at::conv2d(image, folded_weight_, folded_bias_, stride_,
                    /*padding=*/1, /*dilation=*/1, /*groups=*/image.size(1))
      .permute({0, 2, 3, 1});
}

}  // namespace sono
