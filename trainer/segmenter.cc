#include "trainer/segmenter.h"

#include <opencv2/imgproc.hpp>

#include "core/check.h"
#include "core/hash.h"
#include "data/mask.h"
#include "models/io/safetensors.h"
#include "trainer/sam_pixels.h"

namespace sono {
namespace {

constexpr char kDecoderPrefix[] = "mask_decoder.";

int side(std::int64_t px) { return static_cast<int>(px); }

}  // namespace

Segmenter Segmenter::load(const std::filesystem::path& weights) {
  Segmenter segmenter;
  segmenter.weights_hash_ = sha256_file(sam_weights_file(weights));
  segmenter.model_ = load_sam(weights);
  for (const auto& [name, tensor] : segmenter.decoder_state()) {
    segmenter.published_decoder_[name] = tensor.clone();
  }
  return segmenter;
}

at::Tensor Segmenter::input(const cv::Mat& image) const {
  const SamConfig& config = model_->config();
  if (!config.is_vit()) return frame_image(image, frame_fit_);
  const int input_px = side(config.image_size_px());
  if (frame_fit_ == FrameFit::kFit) {
    return sam_pixels(image, SamFrame(image.size(), input_px));
  }
  // As Wang et al. 2025 do: to the frame's small square first.
  cv::Mat square;
  cv::resize(image, square, frame(image.size()).size, 0, 0, cv::INTER_AREA);
  return sam_pixels(square, SamFrame(square.size(), input_px));
}

at::Tensor Segmenter::encode(const cv::Mat& image) const {
  return encode_input(input(image));
}

at::Tensor Segmenter::encode_input(const at::Tensor& input) const {
  return model_->encode(input);
}

SamFrame Segmenter::frame(cv::Size native) const {
  return SamFrame(native, side(model_->config().mask_size_px()), frame_fit_);
}

at::Tensor Segmenter::logits(const at::Tensor& embedding,
                             const Box& frame_box) const {
  at::NoGradGuard no_grad;
  SamPrompts prompts;
  prompts.boxes = box_prompt(frame_box, model_->config()).unsqueeze(0);
  return model_->decode(embedding, prompts).logits[0][0];
}

cv::Mat Segmenter::predict(const at::Tensor& embedding, const Box& frame_box,
                           cv::Size native) const {
  const at::Tensor found = logits(embedding, frame_box);
  const SamConfig& config = model_->config();
  if (!config.is_vit() || frame_fit_ == FrameFit::kSquash) {
    return native_mask(found, frame(native));
  }
  const SamFrame whole(native, side(config.image_size_px()));
  return positive_mask(
      postprocess_masks(found.unsqueeze(0).unsqueeze(0), whole)[0][0]);
}

Box Segmenter::self_box(const at::Tensor& embedding, cv::Size native) const {
  const SamFrame place = frame(native);
  const cv::Mat mask = predict(embedding, place.whole(), native);
  if (cv::countNonZero(mask) == 0) return place.whole();
  return place.from_native(tight_box(mask));
}

StateDict Segmenter::decoder_state() const {
  StateDict state;
  for (const auto& [name, tensor] : model_->mask_decoder.state()) {
    state[kDecoderPrefix + name] = tensor.detach();
  }
  return state;
}

void Segmenter::load_decoder(const std::filesystem::path& weights) {
  set_decoder(load_safetensors(weights), weights.string());
}

void Segmenter::reset_decoder() {
  set_decoder(published_decoder_, "the published decoder");
}

void Segmenter::set_decoder(const StateDict& state, const std::string& source) {
  StateDict own;
  for (const auto& [name, tensor] : state) {
    const bool ours = name.rfind(kDecoderPrefix, 0) == 0;
    own[ours ? name.substr(sizeof(kDecoderPrefix) - 1) : name] = tensor;
  }
  model_->mask_decoder.load_state(own, source);
  model_->mask_decoder.requires_grad(false);
}

}  // namespace sono
