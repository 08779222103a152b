#include "data/phantom/brain.h"

#include <algorithm>
#include <cmath>

namespace sono {
namespace {

constexpr float kFluid = 0.012F;

// Distance from the centre of the structure, 1 at its edge; `side` is |v|.
float reach(const PairedStructure& part, float u, float side) {
  const float a =
      (u - static_cast<float>(part.u)) / static_cast<float>(part.semi_u);
  const float b =
      (side - static_cast<float>(part.v)) / static_cast<float>(part.semi_v);
  return std::sqrt(a * a + b * b);
}

void blend(float& value, float target, float weight) {
  value += (target - value) * std::clamp(weight, 0.0F, 1.0F);
}

void add_thalami(const HeadAnatomy& head, float u, float side, Echo& echo) {
  const float strength = static_cast<float>(head.thalamus.strength);
  const float distance = reach(head.thalamus, u, side);
  if (distance > 1.3F) return;
  blend(echo.scatter, echo.scatter * 0.55F, strength * (1.15F - distance) * 5);
  echo.mirror += 0.22F * strength * bump(distance - 1.05F, 0.18F);
  // The third ventricle is the slit between them.
  echo.mirror += 0.9F * strength * bump(side - 0.03F, 0.016F);
}

// Fluid-filled atrium with its two walls, the plexus hanging in it. The
// hemisphere near the transducer is veiled by the skull's reverberation.
void add_ventricles(const HeadAnatomy& head, float u, float v, float facing,
                    const Texture& texture, Echo& echo) {
  const float side = std::abs(v) + 0.02F * texture.coarse;
  const float clarity = v > 0 ? 1.0F : 0.45F;
  const float wall = reach(head.ventricle, u, side);
  if (wall > 1.4F) return;
  const float late = head.trimester == 1 ? 0.45F : 1.0F;
  blend(echo.scatter, 2 * kFluid, clarity * (1.05F - wall) * 6);
  echo.mirror += static_cast<float>(head.ventricle.strength) * late * clarity *
                 facing * bump(wall - 1.03F, 0.13F);
  const float plexus =
      reach(head.choroid_plexus, u, side + 0.02F * texture.fine);
  const float body = static_cast<float>(head.choroid_plexus.strength) *
                     clarity * std::max(0.4F, 1 + 0.25F * texture.fine);
  blend(echo.scatter, body, (1.08F - plexus) * 5);
}

void add_midline(const HeadAnatomy& head, float u, float v, float facing,
                 const Texture& texture, Echo& echo) {
  const float thalamus = std::abs(u - static_cast<float>(head.thalamus.u));
  const bool between_thalami =
      head.thalamus.strength > 0.5 && thalamus < head.thalamus.semi_u;
  const float from_cavum = std::abs(u - static_cast<float>(head.cavum_u));
  constexpr float kCavumHalfLength = 0.13F;
  constexpr float kCavumHalfWidth = 0.055F;
  if (head.has_cavum && from_cavum < kCavumHalfLength) {
    const float side = std::abs(v);
    if (side < kCavumHalfWidth) echo.scatter = kFluid;
    echo.mirror += 2.2F * facing * bump(side - kCavumHalfWidth, 0.02F);
    return;
  }
  if (between_thalami) return;
  const float dashes =
      std::max(0.08F, 0.7F + 0.9F * texture.fine + 0.5F * texture.coarse);
  echo.mirror += 2.4F * dashes * (0.15F + 0.85F * facing * facing) *
                 bump(v, 0.022F) *
                 std::min(1.0F, std::max(0.0F, 4 * (0.9F - std::abs(u))));
}

// The Sylvian fissure's arc, and sulci along the skull in late pregnancy.
void add_cortex(const HeadAnatomy& head, float u, float v, float facing,
                const Texture& texture, Echo& echo) {
  const float side = std::abs(v) + 0.03F * texture.coarse;
  const float clarity = v > 0 ? 1.0F : 0.4F;
  const float arc = side - 0.66F + 0.35F * (u - 0.1F) * (u - 0.1F);
  const float span = bump(u - 0.08F, 0.36F);
  echo.mirror += static_cast<float>(head.insula_strength) * clarity * facing *
                 span * bump(arc, 0.030F);
  const float rim = bump(std::sqrt(u * u + v * v) - 0.82F, 0.16F);
  echo.mirror += static_cast<float>(head.gyri_strength) * clarity * rim *
                 std::max(0.0F, texture.streak - 0.3F);
}

}  // namespace

Echo brain_echo(const HeadAnatomy& head, float u, float v, float facing,
                const Texture& texture) {
  Echo echo;
  echo.transmission = 0.0006F;
  echo.scatter =
      static_cast<float>(head.brain_strength) *
      std::max(0.15F, 1 + 0.35F * texture.form + 0.35F * texture.coarse +
                          0.3F * texture.fine);
  echo.mirror = 0.25F * std::max(0.0F, texture.streak - 1.2F);
  const float bend = static_cast<float>(head.midline_bend) * (1 - u * u);
  const float across = v - bend - 0.008F * texture.coarse;
  add_thalami(head, u, std::abs(across), echo);
  add_ventricles(head, u, across, facing, texture, echo);
  add_cortex(head, u, across, facing, texture, echo);
  add_midline(head, u, across, facing, texture, echo);
  return echo;
}

}  // namespace sono
