#pragma once
// What a latent diffusion model sees of its training images: moments of the
// autoencoder and hidden states of the text encoder, computed once, of which
// every sample of the training draws anew.

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "trainer/epoch_order.h"

namespace sono {

// One image in one augmented version.
struct LatentExample {
  at::Tensor mean;    // fp32 [C, h, w], as the encoder says, not scaled
  at::Tensor logvar;  // as mean
  // fp32 [T, width]; int64 [T], the ids, where the text encoder is trained.
  at::Tensor text;
  // What the network is shown of the mask (models/diffusion/mask_guidance.h);
  // undefined where it is shown none.
  at::Tensor guide{};
};

struct LatentExamples {
  // Latent height and width of each.
  std::vector<std::pair<std::int64_t, std::int64_t>> shapes{};
  std::int64_t variants = 1;  // epoch e takes version e mod variants
  // A pure function of its arguments.
  std::function<LatentExample(std::int64_t index, std::int64_t variant)> get{};
  at::Tensor empty_text{};  // as LatentExample::text, for hidden captions

  std::int64_t count() const {
    return static_cast<std::int64_t>(shapes.size());
  }
};

// What one sample of a step is.
struct LatentDraw {
  at::Tensor latent;  // fp32 [C, h, w], scaled
  at::Tensor noise;   // as latent
  std::int64_t timestep = 0;
  at::Tensor text;     // as LatentExample::text
  at::Tensor guide{};  // as there; zeros where it is hidden
};

struct LatentDrawConfig {
  std::int64_t batch_size = 1;  // samples a step, over all ranks
  std::uint64_t seed = 0;
  std::int64_t num_train_timesteps = 1000;
  double scaling_factor = 0.18215;  // of the autoencoder
  // A normal value a channel, this large, is added to the noise, so that the
  // model learns to change an image's mean (Guttenberg 2023); 0: none.
  double noise_offset = 0;
  double caption_dropout = 0;  // probability that the caption is hidden
  double mask_dropout = 0;     // and that the mask is
};

// Sample n's image, latent, noise, timestep and dropouts follow from (seed, n)
// alone. Not for several threads.
class LatentDraws {
 public:
  // DataError when there are no examples.
  LatentDraws(LatentExamples examples, const LatentDrawConfig& config);
  LatentDraw operator()(std::uint64_t sample);

 private:
  LatentExamples examples_;
  LatentDrawConfig config_;
  EpochOrder order_;
};

}  // namespace sono
