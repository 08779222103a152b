#pragma once
// The half of a UNet on the way down, and its middle: what the UNet and the
// ControlNet, a trained copy of it, share.

#include <memory>
#include <optional>
#include <vector>

#include "models/unet/blocks.h"
#include "models/unet/timestep_embedding.h"
#include "models/unet/unet_config.h"

namespace sono {

// What a network is told beside the noisy sample.
struct UNetCondition {
  at::Tensor class_ids{};  // int64 [B]; defined exactly with a class embedding
  // [B, T, text width]; defined exactly when the network looks at a text and
  // no `prepared_text` stands in for it.
  at::Tensor text{};
  const TextContext* prepared_text = nullptr;
  // In place of the timesteps, which are then undefined: all of the batch are
  // at `step` of the schedule. Not with classes.
  const TimeTable* times = nullptr;
  std::int64_t step = 0;
};

class EncoderHalf : public Module {
 public:
  const UNetConfig& config() const { return config_; }
  // Of the parameters, and of what the network computes in.
  at::ScalarType dtype() const { return conv_in_.weight.scalar_type(); }

  // Lets samples have so many more channels behind their own, which a
  // convolution of their own adds to conv_in's result: the same as a wider
  // conv_in whose new weights are zero, but trained, kept and fp32 by itself
  // ("conv_in_added.weight"). Once, after the weights were loaded.
  void add_input_channels(std::int64_t channels);
  // [width, added channels, k, k]; undefined where there are none.
  at::Tensor added_input_weight() const;

  // Keys and values of every attention to the text, without gradients.
  // `tokens` [1 or B, T, text width].
  virtual TextContext prepare_text(const at::Tensor& tokens) const;
  // The time's projections for each of `timesteps`, without gradients. Only
  // for a network without classes.
  virtual TimeTable prepare_times(const std::vector<double>& timesteps) const;

 protected:
  // Throws ConfigError. Makes all but the middle, which the derived class adds
  // where its own order of parameters has it.
  explicit EncoderHalf(const UNetConfig& config);
  void add_mid_block();
  // Stage options of `level`, with its attention.
  StageOptions stage(std::size_t level) const;

  // Checks what one call was given, and makes of it what the layers take.
  // `own_text` keeps the context of an unprepared text.
  LayerCondition layer_condition(const at::Tensor& sample,
                                 const at::Tensor& timesteps,
                                 const UNetCondition& condition,
                                 TextContext& own_text) const;
  // [T, 4 * first width], after the SiLU with which every resnet would begin.
  at::Tensor embed(const at::Tensor& timesteps,
                   const at::Tensor& class_ids) const;
  // conv_in of the sample, and what added channels add, in the network's dtype.
  at::Tensor enter(const at::Tensor& sample) const;
  // Down through all stages, from conv_in's output; pushes it as well.
  at::Tensor descend(const at::Tensor& x, const LayerCondition& condition,
                     Skips& skips) const;
  // The middle, or x where there is none.
  at::Tensor turn(const at::Tensor& x, const LayerCondition& condition) const;

 private:
  void add_down_blocks();

  UNetConfig config_;
  Conv2d conv_in_;
  std::optional<Conv2d> conv_in_added_;
  TimestepEmbedding time_embedding_;
  std::optional<Embedding> class_embedding_;
  std::vector<std::unique_ptr<DownBlock>> down_blocks_;
  std::optional<MidBlock> mid_block_;
};

}  // namespace sono
