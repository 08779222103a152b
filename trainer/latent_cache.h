#pragma once
// The frozen encoders' work, done once: moments of every image in every
// version, and the text encoder's states of every caption unless it is trained,
// kept in the cache on disk by the hash of all that decides them. What is found
// there is not made again, by whichever run it was made.

#include <ATen/ATen.h>

#include <functional>
#include <memory>
#include <string>

#include "data/pack_cache.h"
#include "dist/communicator.h"
#include "dist/stop_signal.h"
#include "trainer/latent_draws.h"
#include "trainer/latent_images.h"

namespace sono {

struct FrozenEncoders {
  // [1, 3, H, W] in [-1, 1] -> [2, C, h, w], mean and log-variance
  std::function<at::Tensor(const at::Tensor& image)> encode;
  // -> [T, width]
  std::function<at::Tensor(const std::string& caption)> embed;
  // -> int64 [T]. Where it is set, the text encoder is trained: examples hold
  // ids, and nothing is embedded.
  std::function<at::Tensor(const std::string& caption)> tokenize{};
  // Of the weights and what else decides what they say.
  std::string autoencoder_hash, text_hash;
  std::int64_t downscale = 8;
  std::int64_t latent_channels = 4;
  std::int64_t text_width = 768;
};

// Shares the work out over the ranks; the encoders may be given back
// afterwards. The result reads from `cache`, which must outlive it, as long as
// nobody empties it (a DataError, then), and takes masks from `images`.
// StopRequested between two images when `stop` asks for it. All ranks must
// call.
LatentExamples cache_latents(Communicator& comm,
                             std::shared_ptr<const LatentImages> images,
                             const FrozenEncoders& encoders, PackCache& cache,
                             const StopSignal& stop);

}  // namespace sono
