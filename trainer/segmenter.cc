#include "trainer/segmenter.h"

#include <opencv2/imgproc.hpp>

#include "core/check.h"
#include "core/error.h"
#include "core/hash.h"
#include "data/mask.h"
#include "models/io/safetensors.h"
#include "trainer/sam_pixels.h"

namespace sono {
namespace {

constexpr char kDecoderPrefix[] = "mask_decoder.";
constexpr char kEncoderPrefix[] = "image_encoder.";
constexpr char kLoraPrefix[] = "lora.";

// What `state` holds under `prefix`, without it.
StateDict part_of(const StateDict& state, const std::string& prefix) {
  StateDict part;
  for (const auto& [name, tensor] : state) {
    if (name.starts_with(prefix)) part[name.substr(prefix.size())] = tensor;
  }
  return part;
}

void check_names(const StateDict& state, const std::string& source) {
  for (const auto& [name, tensor] : state) {
    if (name.starts_with(kDecoderPrefix) || name.starts_with(kEncoderPrefix) ||
        name.starts_with(kLoraPrefix)) {
      continue;
    }
    throw DataError(source + ": " + name +
                    " is of no part that a tuning changes");
  }
}

int side(std::int64_t px) { return static_cast<int>(px); }

}  // namespace

Segmenter Segmenter::load(const std::filesystem::path& weights) {
  Segmenter segmenter;
  segmenter.weights_hash_ = sha256_file(sam_weights_file(weights));
  segmenter.encoder_hash_ = segmenter.weights_hash_;
  segmenter.model_ = load_sam(weights);
  segmenter.set_tuned_parts(TunedParts::kDecoder, {});
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
  return model_->encode(input.to(model_->device())).cpu();
}

SamFrame Segmenter::frame(cv::Size native) const {
  return SamFrame(native, side(model_->config().mask_size_px()), frame_fit_);
}

at::Tensor Segmenter::logits(const at::Tensor& embedding,
                             const Box& frame_box) const {
  at::NoGradGuard no_grad;
  SamPrompts prompts;
  const at::Device device = model_->device();
  prompts.boxes =
      box_prompt(frame_box, model_->config()).unsqueeze(0).to(device);
  return model_->decode(embedding.to(device), prompts).logits[0][0].cpu();
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

void Segmenter::move_to(const at::Device& device) {
  SONO_CHECK(!lora_, "move the segmenter before its parts are chosen");
  model_->move_to(device);
}

void Segmenter::set_tuned_parts(TunedParts parts, const LoraConfig& lora) {
  const bool in_encoder = parts != TunedParts::kDecoder;
  SamImageEncoder& encoder = model_->image_encoder();
  if (in_encoder && !encoder.is_trainable()) {
    throw ConfigError(
        "option segment.parts: LiteMedSAM's image encoder cannot be trained; "
        "tune its decoder, or give SAM ViT weights with place.weights");
  }
  parts_ = parts;
  lora_.reset();
  if (parts == TunedParts::kDecoderAndLora) {
    lora_ = std::make_unique<LoraSet>(
        encoder,
        choose_targets(encoder, lora, "the image encoder", "segment_lora"),
        lora.init);
    lora_->detach();
  }
  published_.clear();
  for (const auto& [name, tensor] : tuned_state()) {
    if (!name.starts_with(kLoraPrefix)) published_[name] = tensor.clone();
  }
}

void Segmenter::begin_tuning(std::uint64_t seed) {
  use_published();
  used_ = encoder_hash_ = "in training";
  if (!lora_) return;
  lora_->initialize(seed);
  lora_->attach();
}

StateDict Segmenter::tuned_state() const {
  StateDict state;
  const auto add = [&](const std::string& prefix, const Module& module) {
    for (const auto& [name, tensor] : module.state()) {
      state[prefix + name] = tensor.detach();
    }
  };
  add(kDecoderPrefix, model_->mask_decoder);
  if (parts_ == TunedParts::kWhole) {
    add(kEncoderPrefix, model_->image_encoder());
  }
  if (lora_) add(kLoraPrefix, *lora_);
  return state;
}

void Segmenter::use_tuned(const std::filesystem::path& file,
                          const std::string& hash) {
  if (used_ == hash) return;
  use_published();
  used_ = "being loaded";
  const StateDict state = load_safetensors(file);
  set_weights(state, file.string());
  if (lora_) {
    lora_->load_state(part_of(state, kLoraPrefix), file.string());
    lora_->requires_grad(false);
    lora_->attach();
  }
  if (parts_ != TunedParts::kDecoder) encoder_hash_ = hash;
  used_ = hash;
}

void Segmenter::use_published() {
  if (used_.empty()) return;
  if (lora_) lora_->detach();
  set_weights(published_, "the published weights");
  encoder_hash_ = weights_hash_;
  used_.clear();
}

void Segmenter::set_weights(const StateDict& state, const std::string& source) {
  check_names(state, source);
  const auto load = [&](Module& module, const char* prefix) {
    module.load_state(part_of(state, prefix), source);
    module.requires_grad(false);
  };
  load(model_->mask_decoder, kDecoderPrefix);
  if (parts_ == TunedParts::kWhole) {
    load(model_->image_encoder(), kEncoderPrefix);
    model_->image_encoder().fold();
  }
}

}  // namespace sono
