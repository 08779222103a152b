#pragma once
// The low-rank addition to a frozen layer (LoRA, Hu et al. 2021):
//   y = layer(x) + scale * up(down(dropout(x))).
// Owned by models/lora/lora_set.h; a layer only points to it. One thread at a
// time.

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sono {

// Which samples the rows of the batch are, for dropout keyed by sample: a
// sample's mask does not depend on its batch. No samples: no dropout.
struct LoraDropout {
  double probability = 0;  // [0, 1)
  std::uint64_t seed = 0;
  std::vector<std::uint64_t> samples;  // one a row of the batch
};

struct LowRank {
  std::string path;  // of the layer
  at::Tensor down;   // fp32 [r, in] or [r, in, k, k]
  at::Tensor up;     // fp32 [out, r] or [out, r, 1, 1]
  double scale = 1;
  const LoraDropout* dropout = nullptr;  // none when null

  // Adds to `y` [rows, out], the frozen layer's of x [..., in]; y may be
  // written to.
  at::Tensor add_linear(at::Tensor y, const at::Tensor& x) const;
  // Adds to `y` [B, out, H', W'], the frozen convolution of x [B, in, H, W];
  // y may be written to.
  at::Tensor add_conv2d(const at::Tensor& y, const at::Tensor& x,
                        std::int64_t stride, std::int64_t padding) const;
  // scale * up * down in the shape of the layer's weight, fp32.
  at::Tensor delta() const;

 private:
  at::Tensor input(const at::Tensor& x) const;
};

}  // namespace sono
