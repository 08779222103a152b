#include "models/sam/vit_encoder.h"

#include <algorithm>
#include <string>

#include "core/check.h"
#include "models/nn/recompute.h"

namespace sono {
namespace {

constexpr double kNormEps = 1e-6;

}  // namespace

VitBlock::VitBlock(const VitConfig& config, bool is_global)
    : norm1_(config.width, kNormEps),
      attn_(config.width, config.heads, is_global ? 0 : config.window,
            is_global ? config.table_grid : config.window),
      norm2_(config.width, kNormEps),
      lin1_(config.width, config.mlp_width),
      lin2_(config.mlp_width, config.width) {
  add_module("norm1", norm1_);
  add_module("attn", attn_);
  add_module("norm2", norm2_);
  add_module("mlp.lin1", lin1_);
  add_module("mlp.lin2", lin2_);
}

at::Tensor VitBlock::operator()(const at::Tensor& x) const {
  return run_block(*this, {x},
                   [this](const auto& inputs) { return forward(inputs[0]); });
}

at::Tensor VitBlock::forward(const at::Tensor& x) const {
  at::Tensor out = x + attn_(norm1_(x));
  at::Tensor hidden = lin1_(norm2_(out));
  if (at::GradMode::is_enabled()) return out + lin2_(at::gelu(hidden));
  at::gelu_(hidden);
  return out.add_(lin2_(hidden));
}

VitEncoder::VitEncoder(const VitConfig& config)
    : config_(config),
      patch_embed_(
          3, config.width,
          {.kernel = config.patch_size_px, .stride = config.patch_size_px}),
      neck_(config.width, config.out_channels) {
  add_module("patch_embed.proj", patch_embed_);
  pos_embed_ = add_parameter("pos_embed",
                             {1, config.grid(), config.grid(), config.width});
  const auto& global = config.global_blocks;
  for (std::int64_t i = 0; i < config.depth; ++i) {
    const bool is_global =
        std::find(global.begin(), global.end(), i) != global.end();
    blocks_.push_back(std::make_unique<VitBlock>(config, is_global));
    add_module("blocks." + std::to_string(i), *blocks_.back());
  }
  add_module("neck", neck_);
}

at::Tensor VitEncoder::operator()(const at::Tensor& images) const {
  const std::int64_t side = config_.image_size_px;
  SONO_CHECK(images.dim() == 4 && images.size(1) == 3 &&
                 images.size(2) == side && images.size(3) == side,
             "the encoder wants [B, 3, " << side << ", " << side << "], not "
                                         << images.sizes());
  at::Tensor x = patch_embed_(images).permute({0, 2, 3, 1}) + pos_embed_;
  x = x.contiguous();
  for (const auto& block : blocks_) x = (*block)(x);
  return neck_(x.permute({0, 3, 1, 2})).contiguous();
}

}  // namespace sono
