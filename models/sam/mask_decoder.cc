#include "models/sam/mask_decoder.h"

#include "core/check.h"

namespace sono {

SamMlp::SamMlp(std::int64_t in_features, std::int64_t hidden,
               std::int64_t out_features)
    : first_(in_features, hidden),
      second_(hidden, hidden),
      third_(hidden, out_features) {
  add_module("layers.0", first_);
  add_module("layers.1", second_);
  add_module("layers.2", third_);
}

at::Tensor SamMlp::operator()(const at::Tensor& x) const {
  return third_(at::relu(second_(at::relu(first_(x)))));
}

MaskDecoder::MaskDecoder(const MaskDecoderConfig& config)
    : transformer_(config.transformer),
      iou_token_(1, config.transformer.channels),
      mask_tokens_(kNumMasks, config.transformer.channels),
      upscale0_(config.transformer.channels, config.transformer.channels / 4),
      upscale3_(config.transformer.channels / 4,
                config.transformer.channels / 8),
      upscale_norm1_(config.transformer.channels / 4, 1e-6),
      iou_head_(config.transformer.channels, config.iou_width, kNumMasks) {
  add_module("transformer", transformer_);
  add_module("iou_token", iou_token_);
  add_module("mask_tokens", mask_tokens_);
  add_module("output_upscaling.0", upscale0_);
  add_module("output_upscaling.1", upscale_norm1_);
  add_module("output_upscaling.3", upscale3_);
  for (int i = 0; i < kNumMasks; ++i) {
    hypernetworks_.push_back(std::make_unique<SamMlp>(
        config.transformer.channels, config.transformer.channels,
        config.transformer.channels / 8));
    add_module("output_hypernetworks_mlps." + std::to_string(i),
               *hypernetworks_.back());
  }
  add_module("iou_prediction_head", iou_head_);
}

at::Tensor MaskDecoder::upscale(const at::Tensor& tokens) const {
  const at::Tensor half = at::gelu(upscale_norm1_(upscale0_(tokens)));
  return at::gelu(upscale3_(half));
}

SamMasks MaskDecoder::operator()(const at::Tensor& embedding,
                                 const at::Tensor& position,
                                 const PromptEmbedding& prompt,
                                 Output output) const {
  const std::int64_t batch = prompt.sparse.size(0);
  SONO_CHECK(
      embedding.dim() == 4 &&
          (embedding.size(0) == batch || embedding.size(0) == 1),
      "embedding " << embedding.sizes() << " for " << batch << " prompts");
  const at::Tensor own =
      at::cat({iou_token_.weight, mask_tokens_.weight}).unsqueeze(0);
  const at::Tensor tokens =
      at::cat({own.expand({batch, -1, -1}), prompt.sparse}, 1);
  const at::Tensor image = embedding + prompt.dense;
  const TwoWayState state = transformer_(image, position, tokens);
  const at::Tensor upscaled = upscale(state.image);

  const bool single = output == Output::kSingle;
  const int first = single ? 0 : 1, last = single ? 1 : kNumMasks;
  std::vector<at::Tensor> filters;
  for (int i = first; i < last; ++i) {
    filters.push_back((*hypernetworks_[i])(state.tokens.select(1, 1 + i)));
  }
  const at::Tensor logits = blocks_to_grid(
      at::stack(filters, 1).matmul(upscaled.transpose(1, 2)), image.size(2), 2);
  const at::Tensor iou = iou_head_(state.tokens.select(1, 0));
  return {logits, iou.slice(1, first, last)};
}

}  // namespace sono
