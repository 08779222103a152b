#pragma once
// TinyViT image encoder of LiteMedSAM (Wu et al. 2022, arXiv 2207.10666, in the
// variant that MobileSAM started: no strided patch embedding, 64x64 output).
//
// Frozen: inference only, without gradients. Batch norms are folded into the
// convolutions, and tensors stay [B, H, W, C] from end to end, so that 1x1
// convolutions are matrix products and windows are views.

#include <array>
#include <memory>
#include <vector>

#include "models/sam/image_encoder.h"
#include "models/sam/neck.h"

namespace sono {

struct TinyVitConfig {
  std::int64_t image_size_px = 256;
  std::array<std::int64_t, 4> widths{64, 128, 160, 320};
  std::array<std::int64_t, 4> depths{2, 2, 6, 2};
  std::array<std::int64_t, 4> heads{2, 4, 5, 10};
  std::array<std::int64_t, 4> windows{7, 7, 14, 7};  // side, tokens
  std::array<std::int64_t, 3> merge_strides{2, 2, 1};
  std::int64_t out_channels = 256;
};

class TinyVitEncoder : public SamImageEncoder {
 public:
  explicit TinyVitEncoder(const TinyVitConfig& config = {});
  ~TinyVitEncoder() override;

  // Folds batch norms and gathers attention biases; call after load_state.
  void fold() override;
  bool is_trainable() const override { return false; }
  // fp32 [B, 3, S, S] -> fp32 [B, 256, S / 4, S / 4].
  at::Tensor operator()(const at::Tensor& images) const override;

 private:
  class PatchEmbed;
  class Stage;

  TinyVitConfig config_;
  std::unique_ptr<PatchEmbed> patch_embed_;
  std::vector<std::unique_ptr<Stage>> stages_;
  std::unique_ptr<SamNeck> neck_;
};

}  // namespace sono
