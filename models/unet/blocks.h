#pragma once
// The stages of diffusers' UNets. Names of parameters are theirs:
// resnets.N, attentions.N, downsamplers.0.conv, upsamplers.0.conv.

#include <memory>
#include <optional>
#include <vector>

#include "models/unet/attention_block.h"
#include "models/unet/resnet_block.h"
#include "models/unet/transformer_2d.h"

namespace sono {

// What stands behind a stage's resnets.
enum class StageAttention { kNone, kSelf, kText };

// What the stages of one network share.
struct StageOptions {
  std::int64_t time_channels = 0;  // 0: no time
  std::int64_t layers = 1;
  std::int64_t head_dim = 8;  // of self-attention
  std::int64_t groups = 32;
  double eps = 1e-5;
  double output_scale = 1;  // divides the output of each layer
  StageAttention attention = StageAttention::kNone;
  TransformerOptions transformer{};  // of kText; its channels are set here
};

// Feature maps kept on the way down for the way up; a stack.
using Skips = std::vector<at::Tensor>;

// Resnets, each followed by attention where the stage has it.
class ResnetStack : public Module {
 public:
  // Adds what can be computed once; see condition.h.
  void prepare(TextContext& text) const;
  void prepare(const at::Tensor& activated_times, TimeTable& table) const;

 protected:
  explicit ResnetStack(const StageOptions& options) : options_(options) {}
  void add_resnet(std::int64_t in_channels, std::int64_t out_channels);
  // Nothing for a stage without attention.
  void add_attention(std::int64_t channels);
  // x, or attention i of it where the stage has attention.
  at::Tensor attend(std::size_t i, const at::Tensor& x,
                    const LayerCondition& condition) const;

  StageOptions options_;
  std::vector<std::unique_ptr<ResnetBlock>> resnets_;
  std::vector<std::unique_ptr<AttentionBlock>> self_attentions_;
  std::vector<std::unique_ptr<Transformer2D>> transformers_;
};

// DownBlock2D, AttnDownBlock2D, CrossAttnDownBlock2D.
class DownBlock : public ResnetStack {
 public:
  struct Options : StageOptions {
    std::int64_t in_channels = 0;
    std::int64_t out_channels = 0;
    bool downsample = true;  // stride-2 convolution at the end
    // 1, or 0: then one row and column of zeros follow the map.
    std::int64_t downsample_padding = 1;
  };
  explicit DownBlock(const Options& options);
  // [B, in, H, W] -> [B, out, ceil(H/2), ceil(W/2)], with padding 0 floor;
  // pushes every layer's output and the downsampled one where `skips` is given.
  at::Tensor operator()(at::Tensor x, const LayerCondition& condition,
                        Skips* skips) const;

 private:
  std::optional<Conv2d> downsampler_;
  bool pad_after_;
};

// UNetMidBlock2D, UNetMidBlock2DCrossAttn: resnet, attention, resnet.
class MidBlock : public ResnetStack {
 public:
  MidBlock(const StageOptions& options, std::int64_t channels);
  at::Tensor operator()(const at::Tensor& x,
                        const LayerCondition& condition) const;
};

// UpBlock2D, AttnUpBlock2D, CrossAttnUpBlock2D: layers + 1 resnets, each fed
// one skip.
class UpBlock : public ResnetStack {
 public:
  struct Options : StageOptions {
    std::int64_t in_channels = 0;    // of the last skip
    std::int64_t out_channels = 0;   // of the other skips and the output
    std::int64_t prev_channels = 0;  // of x
    bool upsample = true;  // nearest neighbour and a convolution at the end
  };
  explicit UpBlock(const Options& options);
  // Pops its skips; upsamples to the size of the skip that is then on top, so
  // that odd sizes fit (diffusers' upsample_size; the factor 2 when even).
  at::Tensor operator()(at::Tensor x, const LayerCondition& condition,
                        Skips& skips) const;

 private:
  std::optional<Conv2d> upsampler_;
};

}  // namespace sono
