#pragma once
// The stages of diffusers' UNets. Names of parameters are theirs:
// resnets.N, attentions.N, downsamplers.0.conv, upsamplers.0.conv.

#include <memory>
#include <optional>
#include <vector>

#include "models/unet/attention_block.h"
#include "models/unet/resnet_block.h"

namespace sono {

// What the stages of one network share.
struct StageOptions {
  std::int64_t time_channels = 0;
  std::int64_t layers = 1;
  std::int64_t head_dim = 8;
  std::int64_t groups = 32;
  double eps = 1e-5;
};

// Feature maps kept on the way down for the way up; a stack.
using Skips = std::vector<at::Tensor>;

// Resnets, each followed by attention where the stage has it.
class ResnetStack : public Module {
 protected:
  explicit ResnetStack(const StageOptions& options) : options_(options) {}
  void add_resnet(std::int64_t in_channels, std::int64_t out_channels);
  void add_attention(std::int64_t channels);

  StageOptions options_;
  std::vector<std::unique_ptr<ResnetBlock>> resnets_;
  std::vector<std::unique_ptr<AttentionBlock>> attentions_;
};

// DownBlock2D, AttnDownBlock2D.
class DownBlock : public ResnetStack {
 public:
  struct Options : StageOptions {
    std::int64_t in_channels = 0;
    std::int64_t out_channels = 0;
    bool attention = false;
    bool downsample = true;  // stride-2 convolution at the end
  };
  explicit DownBlock(const Options& options);
  // [B, in, H, W] -> [B, out, ceil(H/2), ceil(W/2)]; pushes every layer's
  // output and the downsampled one.
  at::Tensor operator()(at::Tensor x, const at::Tensor& time,
                        Skips& skips) const;

 private:
  std::optional<Conv2d> downsampler_;
};

// UNetMidBlock2D: resnet, attention, resnet.
class MidBlock : public ResnetStack {
 public:
  struct Options : StageOptions {
    std::int64_t channels = 0;
    bool attention = true;
  };
  explicit MidBlock(const Options& options);
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& time) const;
};

// UpBlock2D, AttnUpBlock2D: layers + 1 resnets, each fed one skip.
class UpBlock : public ResnetStack {
 public:
  struct Options : StageOptions {
    std::int64_t in_channels = 0;    // of the last skip
    std::int64_t out_channels = 0;   // of the other skips and the output
    std::int64_t prev_channels = 0;  // of x
    bool attention = false;
    bool upsample = true;  // nearest neighbour and a convolution at the end
  };
  explicit UpBlock(const Options& options);
  // Pops its skips; upsamples to the size of the skip that is then on top, so
  // that odd sizes fit (diffusers' upsample_size; the factor 2 when even).
  at::Tensor operator()(at::Tensor x, const at::Tensor& time,
                        Skips& skips) const;

 private:
  std::optional<Conv2d> upsampler_;
};

}  // namespace sono
