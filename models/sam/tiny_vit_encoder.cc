#include "models/sam/tiny_vit_encoder.h"

#include "core/check.h"
#include "models/sam/neck.h"
#include "models/sam/tiny_vit_blocks.h"

namespace sono {

class TinyVitEncoder::PatchEmbed : public Module {
 public:
  explicit PatchEmbed(std::int64_t channels)
      : first_(3, channels / 2), second_(channels / 2, channels) {
    add_module("seq.0", first_);
    add_module("seq.2", second_);
  }

  void fold() {
    first_.fold();
    second_.fold();
  }

  at::Tensor operator()(const at::Tensor& x) const {
    at::Tensor hidden = first_(x);
    at::gelu_(hidden);
    return second_(hidden);
  }

 private:
  FoldedConv first_, second_;
};

// One resolution: convolution blocks in the first stage, window attention in
// the others; then the merge to the next stage, except after the last.
class TinyVitEncoder::Stage : public Module {
 public:
  Stage(const TinyVitConfig& config, std::size_t index) {
    const std::int64_t width = config.widths[index];
    for (std::int64_t i = 0; i < config.depths[index]; ++i) {
      const std::string name = "blocks." + std::to_string(i);
      if (index == 0) {
        conv_blocks_.push_back(std::make_unique<MbConv>(width));
        add_module(name, *conv_blocks_.back());
      } else {
        blocks_.push_back(std::make_unique<TinyVitBlock>(
            width, config.heads[index], config.windows[index]));
        add_module(name, *blocks_.back());
      }
    }
    if (index + 1 == config.widths.size()) return;
    downsample_ = std::make_unique<PatchMerging>(
        width, config.widths[index + 1], config.merge_strides[index]);
    add_module("downsample", *downsample_);
  }

  void fold() {
    for (auto& block : conv_blocks_) block->fold();
    for (auto& block : blocks_) block->fold();
    if (downsample_) downsample_->fold();
  }

  at::Tensor operator()(at::Tensor x) const {
    for (const auto& block : conv_blocks_) x = (*block)(x);
    for (const auto& block : blocks_) x = (*block)(x);
    return downsample_ ? (*downsample_)(x) : x;
  }

 private:
  std::vector<std::unique_ptr<MbConv>> conv_blocks_;
  std::vector<std::unique_ptr<TinyVitBlock>> blocks_;
  std::unique_ptr<PatchMerging> downsample_;
};

TinyVitEncoder::TinyVitEncoder(const TinyVitConfig& config)
    : config_(config),
      patch_embed_(std::make_unique<PatchEmbed>(config.widths.front())),
      neck_(std::make_unique<SamNeck>(config.widths.back(),
                                      config.out_channels)) {
  add_module("patch_embed", *patch_embed_);
  for (std::size_t i = 0; i < config.widths.size(); ++i) {
    stages_.push_back(std::make_unique<Stage>(config, i));
    add_module("layers." + std::to_string(i), *stages_.back());
  }
  add_module("neck", *neck_);
}

TinyVitEncoder::~TinyVitEncoder() = default;

void TinyVitEncoder::fold() {
  patch_embed_->fold();
  for (auto& stage : stages_) stage->fold();
}

at::Tensor TinyVitEncoder::operator()(const at::Tensor& images) const {
  at::NoGradGuard no_grad;
  const std::int64_t side = config_.image_size_px;
  SONO_CHECK(images.dim() == 4 && images.size(1) == 3 &&
                 images.size(2) == side && images.size(3) == side,
             "the encoder wants [B, 3, " << side << ", " << side << "], not "
                                         << images.sizes());
  at::Tensor x = images.permute({0, 2, 3, 1}).contiguous();
  x = (*patch_embed_)(x);
  for (const auto& stage : stages_) x = (*stage)(x);
  return (*neck_)(x.permute({0, 3, 1, 2})).contiguous();
}

}  // namespace sono
