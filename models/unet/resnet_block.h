#pragma once
// The residual block of diffusers' UNets and autoencoders (ResnetBlock2D,
// "default" time shift).

#include <optional>

#include "models/nn/layers.h"
#include "models/unet/condition.h"

namespace sono {

struct ResnetBlockOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  std::int64_t time_channels = 0;  // 0: no time
  std::int64_t groups = 32;
  double eps = 1e-5;
  double output_scale = 1;  // divides the output
};

// x + conv2(silu(norm2(conv1(silu(norm1(x))) + time_emb_proj(silu(time))))),
// with a 1x1 conv_shortcut on x where the channel counts differ.
class ResnetBlock : public Module {
 public:
  explicit ResnetBlock(const ResnetBlockOptions& options);
  // x [B, in, H, W] -> [B, out, H, W].
  at::Tensor operator()(const at::Tensor& x,
                        const LayerCondition& condition) const;
  // Adds its row for each timestep. `activated_times` [T, time_channels],
  // already through SiLU.
  void prepare(const at::Tensor& activated_times, TimeTable& table) const;

 protected:
  bool is_block() const override { return true; }

 private:
  // `time_shift` [1 or B, out], undefined without time.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& time_shift) const;

  GroupNorm norm1_;
  Conv2d conv1_;
  std::optional<Linear> time_emb_proj_;
  GroupNorm norm2_;
  Conv2d conv2_;
  std::optional<Conv2d> conv_shortcut_;
  double output_scale_;
};

}  // namespace sono
