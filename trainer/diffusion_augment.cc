#include "trainer/diffusion_augment.h"

#include <cmath>
#include <numbers>

namespace sono {
namespace {

// One draw of every setting, in a fixed order whatever is switched off.
struct Draw {
  bool flip;
  double shift_x, shift_y;  // of half the width and height
  double zoom, angle, gain;
};

Draw draw(const DiffusionAugmentConfig& c, Random& random) {
  const auto symmetric = [&](double limit) {
    return random.uniform(-limit, limit);
  };
  Draw d{};
  d.flip = random.uniform() < 0.5 && c.flip;
  d.shift_x = symmetric(2 * c.max_shift);
  d.shift_y = symmetric(2 * c.max_shift);
  d.zoom = 1 + symmetric(c.max_zoom);
  d.angle = symmetric(c.max_rotation_deg * std::numbers::pi / 180);
  d.gain = 1 + symmetric(c.max_gain);
  return d;
}

// Output to input coordinates, both in [-1, 1]; fp32 [1, 2, 3].
at::Tensor inverse_affine(const Draw& d, double height_over_width) {
  const double c = std::cos(d.angle) / d.zoom, s = std::sin(d.angle) / d.zoom;
  const double mirror = d.flip ? -1 : 1;
  const std::vector<float> rows{
      static_cast<float>(mirror * c),
      static_cast<float>(-s * height_over_width),
      static_cast<float>(d.shift_x),
      static_cast<float>(mirror * s / height_over_width),
      static_cast<float>(c),
      static_cast<float>(d.shift_y)};
  return at::tensor(rows).reshape({1, 2, 3});
}

}  // namespace

void DiffusionAugmentConfig::validate(const std::string& prefix) const {
  check_range(prefix + ".max_shift", max_shift, 0, 0.5);
  check_range(prefix + ".max_zoom", max_zoom, 0, 0.5);
  check_range(prefix + ".max_rotation_deg", max_rotation_deg, 0, 180);
  check_range(prefix + ".max_gain", max_gain, 0, 0.9);
}

void describe(OptionTable& table, const std::string& prefix,
              DiffusionAugmentConfig& c) {
  const auto result = OptionKind::kResult;
  table.add(prefix + ".flip", &c.flip, result, "mirror half of the views");
  table.add(prefix + ".max_shift", &c.max_shift, result,
            "largest shift, as a part of the width or height");
  table.add(prefix + ".max_zoom", &c.max_zoom, result,
            "largest change of size, as a part of it");
  table.add(prefix + ".max_rotation_deg", &c.max_rotation_deg, result,
            "largest rotation, degrees");
  table.add(prefix + ".max_gain", &c.max_gain, result,
            "largest change of brightness, as a part of it");
}

DiffusionPair augment(const DiffusionPair& pair,
                      const DiffusionAugmentConfig& config, Random& random) {
  const Draw d = draw(config, random);
  // Grey from 0, so that the zero padding of the sampler is black.
  const at::Tensor both =
      at::cat({(pair.image + 1) / 2, pair.mask}).unsqueeze(0);
  const double ratio =
      static_cast<double>(both.size(2)) / static_cast<double>(both.size(3));
  const at::Tensor where = at::affine_grid_generator(
      inverse_affine(d, ratio), both.sizes(), /*align_corners=*/false);
  const at::Tensor moved =
      at::grid_sampler(both, where, /*bilinear=*/0, /*zeros=*/0,
                       /*align_corners=*/false)[0];
  return {(moved.narrow(0, 0, 1) * d.gain).clamp(0, 1) * 2 - 1,
          moved.narrow(0, 1, 1).gt(0.5).to(at::kFloat)};
}

}  // namespace sono
