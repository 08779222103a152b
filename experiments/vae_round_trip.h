#pragma once
// What the autoencoder alone costs of the masks: pairs of image and outline go
// through it and back, and masks are read from the outlines as from those of
// synthetic pairs. No generator that speaks through it can label better.

#include "core/json_lines.h"
#include "dist/communicator.h"
#include "models/vae/autoencoder_kl.h"
#include "trainer/latent_images.h"

namespace sono {

struct VaeRoundTripConfig {
  std::int64_t max_pairs = 16;  // the first ones
  int outline_threshold = 180;  // grey level of 255 above which outline is
};

struct VaeRoundTrip {
  std::int64_t pairs = 0;
  std::int64_t lost = 0;     // outlines of which no ellipse was left
  double drawn_dice = 0;     // mean, of outlines that went through nothing
  double mean_dice = 0;      // of those that went through, a lost one 0
  double smallest_dice = 0;  // likewise
};

// Of `images` with joint channels, as they are. The same on any number of
// ranks. All ranks must call.
VaeRoundTrip vae_round_trip(Communicator& comm, const AutoencoderKL& vae,
                            const LatentImages& images,
                            const VaeRoundTripConfig& config);

// Says it on rank 0, and logs it as an event "vae_round_trip". `label` stands
// in front.
void report_round_trip(const VaeRoundTrip& result, const std::string& label,
                       JsonLines& log);

}  // namespace sono
