#include "trainer/segmenter.h"

#include "core/check.h"
#include "core/hash.h"
#include "data/mask.h"
#include "models/io/safetensors.h"
#include "models/io/torch_pickle.h"

namespace sono {
namespace {

constexpr char kDecoderPrefix[] = "mask_decoder.";

StateDict load_weights(const std::filesystem::path& path) {
  return path.extension() == ".safetensors" ? load_safetensors(path)
                                            : load_torch_checkpoint(path);
}

}  // namespace

Segmenter Segmenter::load(const std::filesystem::path& weights) {
  Segmenter segmenter;
  segmenter.weights_hash_ = sha256_file(weights);
  segmenter.model_ = std::make_unique<Sam>();
  segmenter.model_->load(load_weights(weights), weights.string());
  for (const auto& [name, tensor] : segmenter.decoder_state()) {
    segmenter.published_decoder_[name] = tensor.clone();
  }
  return segmenter;
}

at::Tensor Segmenter::encode(const cv::Mat& image) const {
  return encode_frame(frame_image(image, frame_fit_));
}

at::Tensor Segmenter::encode_frame(const at::Tensor& frame) const {
  return model_->encode(frame);
}

at::Tensor Segmenter::logits(const at::Tensor& embedding,
                             const Box& frame_box) const {
  at::NoGradGuard no_grad;
  SamPrompts prompts;
  prompts.boxes =
      at::tensor({frame_box.x0, frame_box.y0, frame_box.x1, frame_box.y1},
                 at::kFloat)
          .unsqueeze(0);
  return model_->decode(embedding, prompts).logits[0][0];
}

cv::Mat Segmenter::predict(const at::Tensor& embedding, const Box& frame_box,
                           cv::Size native) const {
  return native_mask(logits(embedding, frame_box), frame(native));
}

Box Segmenter::self_box(const at::Tensor& embedding, cv::Size native) const {
  const SamFrame in_frame = frame(native);
  const cv::Mat mask = predict(embedding, in_frame.whole(), native);
  if (cv::countNonZero(mask) == 0) return in_frame.whole();
  return in_frame.from_native(tight_box(mask));
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
