#pragma once
// The segmenter as the experiments see it: images and boxes in, masks out.
// LiteMedSAM or SAM ViT-B, L, H, as published or with what a tuning made of it.
// One thread at a time.
//
// Boxes and logits live in the frame of trainer/sam_frame.h, whose side is that
// of the logits (256 px); where the encoder's input is larger, prompts are
// scaled on their way in.

#include <filesystem>
#include <memory>
#include <opencv2/core.hpp>
#include <string>

#include "models/lora/lora_set.h"
#include "models/sam/load_sam.h"
#include "trainer/sam_frame.h"
#include "trainer/tuned_parts.h"

namespace sono {

class Segmenter {
 public:
  // Published weights: a file, or a folder of Hugging Face's
  // (models/sam/load_sam.h). DataError naming the file when it is missing or
  // does not fit.
  static Segmenter load(const std::filesystem::path& weights);

  // SHA-256 of the published weights' file.
  const std::string& weights_hash() const { return weights_hash_; }

  // CV_8UC1 [H, W] -> the encoder's input, fp32 [1, 3, S, S].
  at::Tensor input(const cv::Mat& image) const;
  // How images and masks stand in the frame, from now on; fit at first.
  // SAM ViT's input is then the squashed frame, enlarged.
  void set_frame_fit(FrameFit fit) { frame_fit_ = fit; }
  FrameFit frame_fit() const { return frame_fit_; }

  // From now on the networks compute there; inputs, embeddings and masks stay
  // on the CPU. Before set_tuned_parts.
  void move_to(const at::Device& device);

  // CV_8UC1 [H, W] -> fp32 [1, 256, 64, 64]; on one CPU core some 0.5 s, in
  // ViT-B some 14 s.
  at::Tensor encode(const cv::Mat& image) const;
  at::Tensor encode_input(const at::Tensor& input) const;
  // Where an image of this size lies in the frame.
  SamFrame frame(cv::Size native) const;
  // Mask logits fp32 [256, 256] of the frame for a box of the frame.
  at::Tensor logits(const at::Tensor& embedding, const Box& frame_box) const;
  // The mask on the native grid, CV_8UC1, 0 or 255.
  cv::Mat predict(const at::Tensor& embedding, const Box& frame_box,
                  cv::Size native) const;

  // The box that the segmenter finds by itself, in the frame: that of its mask
  // for the whole frame, or the whole frame when that mask is empty.
  Box self_box(const at::Tensor& embedding, cv::Size native) const;

  // What a tuning changes and its weights hold; the decoder at first. `lora` is
  // for kDecoderAndLora. ConfigError naming segment.parts when the image
  // encoder cannot be trained (LiteMedSAM's).
  void set_tuned_parts(TunedParts parts, const LoraConfig& lora);
  TunedParts tuned_parts() const { return parts_; }
  // The encoder's addition, in use until the next use_...; null without.
  LoraSet* lora() { return lora_.get(); }

  // The published weights, and a new addition drawn by `seed`: to be trained.
  void begin_tuning(std::uint64_t seed);
  // The tuned parts' weights: names start with "mask_decoder.",
  // "image_encoder." or "lora.".
  StateDict tuned_state() const;
  // From now on with the tuned weights of `file`, saved with
  // save_safetensors(tuned_state()); strict. `hash` names them.
  void use_tuned(const std::filesystem::path& file, const std::string& hash);
  // From now on as published, without gradients.
  void use_published();
  // Names the encoder in use: weights_hash(), or the hash given for tuned
  // weights that hold one.
  const std::string& encoder_hash() const { return encoder_hash_; }

  Sam& model() { return *model_; }
  const Sam& model() const { return *model_; }

 private:
  Segmenter() = default;
  void set_weights(const StateDict& state, const std::string& source);

  std::unique_ptr<Sam> model_;
  std::string weights_hash_, encoder_hash_;
  std::string used_;  // hash of the tuned weights in use, empty: published
  FrameFit frame_fit_ = FrameFit::kFit;
  TunedParts parts_ = TunedParts::kDecoder;
  std::unique_ptr<LoraSet> lora_;  // goes before the model
  StateDict published_;            // of the parts that a tuning changes
};

}  // namespace sono
