#pragma once
// The frozen encoders of a published model, while their work is done.

#include <map>
#include <memory>
#include <string>

#include "models/io/pretrained.h"
#include "models/text/clip_text_model.h"
#include "models/text/clip_tokenizer.h"
#include "models/vae/autoencoder_kl.h"
#include "trainer/latent_cache.h"

namespace sono {

struct LatentEncoderOptions {
  int clip_skip = 1;
  // The text encoder is trained: captions are given as token ids.
  bool text_is_trained = false;
};

class LatentEncoders {
 public:
  // `hashes` by part (experiments/stable_diffusion_hash.h).
  LatentEncoders(const Pretrained& model,
                 const std::map<std::string, std::string>& hashes,
                 const LatentEncoderOptions& options);

  const AutoencoderKL& autoencoder() const { return autoencoder_; }
  // As the cache wants them; this must outlive the work, not its results.
  FrozenEncoders frozen() const;

 private:
  LatentEncoderOptions options_;
  AutoencoderKL autoencoder_;
  ClipTextModel text_;
  std::shared_ptr<const ClipTokenizer> tokenizer_;
  std::string autoencoder_hash_, text_hash_;
};

}  // namespace sono
