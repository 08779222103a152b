#pragma once
// The segmenter as the experiments see it: images and boxes in, masks out.
// LiteMedSAM or SAM ViT-B, L, H; the encoder stays frozen, the mask decoder may
// be swapped for a tuned one. One thread at a time.
//
// Boxes and logits live in the frame of trainer/sam_frame.h, whose side is that
// of the logits (256 px); where the encoder's input is larger, prompts are
// scaled on their way in.

#include <filesystem>
#include <memory>
#include <opencv2/core.hpp>
#include <string>

#include "models/sam/load_sam.h"
#include "trainer/sam_frame.h"

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

  // Decoder weights: names start with "mask_decoder.".
  StateDict decoder_state() const;
  // A tuned decoder saved with save_safetensors(decoder_state()); strict.
  void load_decoder(const std::filesystem::path& weights);
  // Back to the published decoder, without gradients.
  void reset_decoder();

  Sam& model() { return *model_; }
  const Sam& model() const { return *model_; }

 private:
  Segmenter() = default;
  void set_decoder(const StateDict& state, const std::string& source);

  std::unique_ptr<Sam> model_;
  std::string weights_hash_;
  FrameFit frame_fit_ = FrameFit::kFit;
  StateDict published_decoder_;
};

}  // namespace sono
