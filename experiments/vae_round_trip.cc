#include "experiments/vae_round_trip.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "core/check.h"
#include "core/message.h"
#include "data/quality_gate.h"
#include "dist/recorder/flight_recorder.h"
#include "experiments/metrics/overlap.h"
#include "experiments/tensor_picture.h"

namespace sono {
namespace {

// Takes whatever ellipse there is: what is asked is where it lies.
GateConfig open_gate() {
  GateConfig gate;
  gate.min_closure = 0;
  gate.max_residual = std::numeric_limits<double>::infinity();
  gate.min_area = 0;
  gate.max_area = std::numeric_limits<double>::infinity();
  gate.min_axis_ratio = 0;
  gate.min_in_frame = 0;
  gate.min_skull = 0;
  gate.min_skull_significance = -std::numeric_limits<double>::infinity();
  return gate;
}

// Dice of the mask that is read from an image's third channel, 0 when there is
// none. `image` fp32 [3, H, W] in 0..1.
double dice_of(const at::Tensor& image, const cv::Mat& truth, int threshold) {
  const cv::Mat outline = to_grey(image[2]) > threshold;
  cv::Mat mask;
  judge_outline(to_grey(image[0]), outline, open_gate(), &mask);
  return mask.empty() ? 0 : measure_overlap(mask, truth).dice;
}

}  // namespace

VaeRoundTrip vae_round_trip(Communicator& comm, const AutoencoderKL& vae,
                            const LatentImages& images,
                            const VaeRoundTripConfig& config) {
  SONO_CHECK(images.guidance() == MaskGuidance::kJoint,
             "only joint images hold an outline");
  const at::NoGradGuard no_grad;
  const PhaseMark mark(comm.recorder(), Phase::kEncode);
  VaeRoundTrip result;
  result.pairs = std::min(images.count(), config.max_pairs);
  // Each by one rank alone, zero elsewhere, so the sum over ranks is exact.
  at::Tensor dice = at::zeros({2, result.pairs}, at::kDouble);
  run_together(comm, [&] {
    for (std::int64_t i = comm.rank(); i < result.pairs;
         i += comm.world_size()) {
      const at::Tensor pixels = images.pixels(i, 0);
      const cv::Mat truth = to_grey(images.mask(i, 0)[0]);
      const at::Tensor latent = vae.encode(pixels.unsqueeze(0)).mean;
      const at::Tensor back = vae.decode(latent)[0];
      const auto in_unit = [](const at::Tensor& x) {
        return (x / 2 + 0.5).clamp(0, 1);
      };
      dice[0][i] = dice_of(in_unit(pixels), truth, config.outline_threshold);
      dice[1][i] = dice_of(in_unit(back), truth, config.outline_threshold);
      if (comm.recorder() != nullptr) comm.recorder()->tick();
    }
  });
  comm.all_reduce(dice);
  result.drawn_dice = dice[0].mean().item<double>();
  result.mean_dice = dice[1].mean().item<double>();
  result.smallest_dice = dice[1].min().item<double>();
  result.lost = dice[1].eq(0).sum().item<std::int64_t>();
  return result;
}

void report_round_trip(const VaeRoundTrip& result, const std::string& label,
                       JsonLines& log) {
  char text[200];
  std::snprintf(text, sizeof text,
                "the autoencoder alone: masks of %lld pairs come back with a "
                "Dice of %.4f (smallest %.4f, %lld lost; as drawn %.4f)",
                static_cast<long long>(result.pairs), result.mean_dice,
                result.smallest_dice, static_cast<long long>(result.lost),
                result.drawn_dice);
  log_info(label + ": " + text);
  log.append({{"event", "vae_round_trip"},
              {"label", label},
              {"pairs", result.pairs},
              {"dice", result.mean_dice},
              {"smallest_dice", result.smallest_dice},
              {"lost", result.lost},
              {"dice_as_drawn", result.drawn_dice}});
}

}  // namespace sono
