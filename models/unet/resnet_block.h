#pragma once
// The residual block of diffusers' UNets (ResnetBlock2D, "default" time shift).

#include <optional>

#include "models/nn/layers.h"

namespace sono {

struct ResnetBlockOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  std::int64_t time_channels = 0;
  std::int64_t groups = 32;
  double eps = 1e-5;
};

// x + conv2(silu(norm2(conv1(silu(norm1(x))) + time_emb_proj(silu(time))))),
// with a 1x1 conv_shortcut on x where the channel counts differ.
class ResnetBlock : public Module {
 public:
  explicit ResnetBlock(const ResnetBlockOptions& options);
  // x [B, in, H, W]; time [B, time_channels], already through SiLU (it is the
  // same for every block) -> [B, out, H, W].
  at::Tensor operator()(const at::Tensor& x,
                        const at::Tensor& activated_time) const;

 protected:
  bool is_block() const override { return true; }

 private:
  at::Tensor forward(const at::Tensor& x,
                     const at::Tensor& activated_time) const;

  GroupNorm norm1_;
  Conv2d conv1_;
  Linear time_emb_proj_;
  GroupNorm norm2_;
  Conv2d conv2_;
  std::optional<Conv2d> conv_shortcut_;
};

}  // namespace sono
