#include "models/sam/prompt_encoder.h"

#include <numbers>

#include "core/check.h"

namespace sono {
namespace {

// Rows of SAM's table of point embeddings.
enum PointKind { kOutside, kInside, kTopLeft, kBottomRight, kNumKinds };

at::Tensor pad_with_no_point(const at::Tensor& x, double value) {
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape[1] = 1;
  return at::cat({x, at::full(shape, value, x.options())}, 1);
}

std::int64_t batch_size(const SamPrompts& prompts) {
  for (const auto* part : {&prompts.boxes, &prompts.points, &prompts.masks}) {
    if (part->defined()) return part->size(0);
  }
  return 1;
}

}  // namespace

PromptEncoder::PromptEncoder(const PromptEncoderConfig& config)
    : config_(config),
      not_a_point_embed_(1, config.channels),
      no_mask_embed_(1, config.channels),
      mask_conv0_(1, config.mask_channels / 4, {.kernel = 2, .stride = 2}),
      mask_conv3_(config.mask_channels / 4, config.mask_channels,
                  {.kernel = 2, .stride = 2}),
      mask_conv6_(config.mask_channels, config.channels, {.kernel = 1}),
      mask_norm1_(config.mask_channels / 4),
      mask_norm4_(config.mask_channels) {
  gaussian_ = add_buffer("pe_layer.positional_encoding_gaussian_matrix",
                         at::zeros({2, config.channels / 2}));
  for (int kind = 0; kind < kNumKinds; ++kind) {
    point_embeddings_.push_back(
        std::make_unique<Embedding>(1, config.channels));
    add_module("point_embeddings." + std::to_string(kind),
               *point_embeddings_.back());
  }
  add_module("not_a_point_embed", not_a_point_embed_);
  add_module("mask_downscaling.0", mask_conv0_);
  add_module("mask_downscaling.1", mask_norm1_);
  add_module("mask_downscaling.3", mask_conv3_);
  add_module("mask_downscaling.4", mask_norm4_);
  add_module("mask_downscaling.6", mask_conv6_);
  add_module("no_mask_embed", no_mask_embed_);
}

PromptEmbedding PromptEncoder::operator()(const SamPrompts& prompts) const {
  const std::int64_t batch = batch_size(prompts);
  std::vector<at::Tensor> sparse{
      at::empty({batch, 0, config_.channels}, gaussian_.options())};
  if (prompts.points.defined()) sparse.push_back(embed_points(prompts));
  if (prompts.boxes.defined()) sparse.push_back(embed_boxes(prompts.boxes));
  const at::Tensor dense =
      prompts.masks.defined()
          ? embed_masks(prompts.masks)
          : no_mask_embed_.weight.view({1, -1, 1, 1})
                .expand({batch, -1, config_.grid, config_.grid});
  return {at::cat(sparse, 1), dense};
}

at::Tensor PromptEncoder::dense_position() const {
  const std::int64_t side = config_.grid;
  const at::Tensor centres =
      (at::arange(side, gaussian_.options()) + 0.5) / static_cast<double>(side);
  const at::Tensor x = centres.view({1, side}).expand({side, side});
  const at::Tensor y = centres.view({side, 1}).expand({side, side});
  return encode_position(at::stack({x, y}, -1)).permute({2, 0, 1}).unsqueeze(0);
}

at::Tensor PromptEncoder::encode_position(const at::Tensor& unit_xy) const {
  const at::Tensor angle =
      2 * std::numbers::pi * (2 * unit_xy - 1).matmul(gaussian_);
  return at::cat({angle.sin(), angle.cos()}, -1);
}

at::Tensor PromptEncoder::encode_pixels(const at::Tensor& xy_px) const {
  return encode_position((xy_px + 0.5) /
                         static_cast<double>(config_.image_size_px));
}

at::Tensor PromptEncoder::embed_points(const SamPrompts& prompts) const {
  SONO_CHECK(prompts.point_labels.defined(), "points need labels");
  at::Tensor points = prompts.points, labels = prompts.point_labels;
  if (!prompts.boxes.defined()) {  // SAM always ends a list of points so
    points = pad_with_no_point(points, 0);
    labels = pad_with_no_point(labels, -1);
  }
  const at::Tensor kind = labels.unsqueeze(-1);
  const at::Tensor placed = encode_pixels(points);
  const at::Tensor outside = placed + point_embeddings_[kOutside]->weight;
  const at::Tensor inside = placed + point_embeddings_[kInside]->weight;
  return at::where(kind == 1, inside,
                   at::where(kind == 0, outside, not_a_point_embed_.weight));
}

at::Tensor PromptEncoder::embed_boxes(const at::Tensor& boxes) const {
  SONO_CHECK(boxes.dim() == 2 && boxes.size(1) == 4,
             "boxes are [B, 4], not " << boxes.sizes());
  const at::Tensor corners = encode_pixels(boxes.view({-1, 2, 2}));
  return corners + at::stack({point_embeddings_[kTopLeft]->weight,
                              point_embeddings_[kBottomRight]->weight},
                             1);
}

at::Tensor PromptEncoder::embed_masks(const at::Tensor& masks) const {
  const at::Tensor half = at::gelu(mask_norm1_(mask_conv0_(masks)));
  const at::Tensor quarter = at::gelu(mask_norm4_(mask_conv3_(half)));
  return mask_conv6_(quarter);
}

}  // namespace sono
