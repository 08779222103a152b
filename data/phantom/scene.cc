#include "data/phantom/scene.h"

#include <algorithm>
#include <cmath>

namespace sono {
namespace {

constexpr float kFluid = 0.010F;
constexpr float kFluidTransmission = 0.0014F;

float narrow(double value) { return static_cast<float>(value); }

}  // namespace

Scene::Scene(const HeadAnatomy& head, const HeadView& view, Random& random)
    : head_(head), outline_(view.outline) {
  cos_ = narrow(std::cos(view.front_angle));
  sin_ = narrow(std::sin(view.front_angle));
  facing_sign_ = cos_ >= 0 ? 1.0F : -1.0F;
  skull_px_ = narrow(head.skull_thickness * outline_.semi_minor);
  skull_strength_ =
      narrow(random.uniform(11.0, 30.0) * (0.5 + 0.6 * head.ossification));
  // Early on the head floats in a pocket; near term it fills it.
  const double early = head.trimester == 1   ? 1.0
                       : head.trimester == 2 ? 0.45
                                             : 0.15;
  const double room = 1.02 + early * random.uniform(0.15, 0.9);
  pocket_semi_x_ =
      narrow(room * outline_.semi_major * random.uniform(1.0, 1.25));
  pocket_semi_y_ =
      narrow(room * outline_.semi_minor * random.uniform(0.86, 1.1));
  const double slack_x = std::max(0.0, pocket_semi_x_ - outline_.semi_major);
  const double slack_y = std::max(0.0, pocket_semi_y_ - outline_.semi_minor);
  pocket_x_ = narrow(outline_.center_x + slack_x * random.uniform(-1.1, 1.1));
  pocket_y_ = narrow(outline_.center_y - slack_y * random.uniform(-0.2, 1.0));
  pocket_wobble_ = narrow(random.uniform(0.05, 0.14));
  wall_depth_px_ = narrow(random.uniform(15, 60));
  anterior_placenta_ = random.uniform() < 0.5;
  placenta_px_ = narrow(random.uniform(40, 120));
  tissue_strength_ = narrow(std::exp(random.uniform(-1.5, 0.1)));
  for (float& angle : suture_angle_) {
    angle = narrow(random.uniform(-std::numbers::pi, std::numbers::pi));
  }
}

Scene::HeadPoint Scene::locate(const BeamPoint& point) const {
  const float dx = point.x - narrow(outline_.center_x);
  const float dy = point.y - narrow(outline_.center_y);
  const float a = narrow(outline_.semi_major), b = narrow(outline_.semi_minor);
  HeadPoint place;
  place.u = (dx * cos_ + dy * sin_) / a;
  place.v = (-dx * sin_ + dy * cos_) / b;
  place.radius = std::sqrt(place.u * place.u + place.v * place.v) + 1e-6F;
  const float normal_u = place.u / a, normal_v = place.v / b;
  const float norm =
      std::sqrt(normal_u * normal_u + normal_v * normal_v) + 1e-9F;
  const float beam_u = point.beam_x * cos_ + point.beam_y * sin_;
  const float beam_v = -point.beam_x * sin_ + point.beam_y * cos_;
  place.incidence = std::abs(normal_u * beam_u + normal_v * beam_v) / norm;
  // First-order distance to the level curve radius = 1.
  place.to_edge_px = (1 - place.radius) * place.radius / norm;
  place.v *= facing_sign_;
  return place;
}

// Sutures and fontanelles reflect less than bone.
float Scene::suture_gain(const HeadPoint& place) const {
  const float angle = std::atan2(place.v, place.u);
  float gain = 1;
  for (const float suture : suture_angle_)
    gain -= 0.75F * bump(angle - suture, 0.07F);
  return gain;
}

// A mirror: bright where the beam meets it squarely, faint at the flanks.
Echo Scene::skull_echo(const HeadPoint& place, const Texture& texture) const {
  const float middle = place.to_edge_px / skull_px_ - 0.5F;
  const float profile = bump(middle, 0.62F);
  const float c = place.incidence;
  const float specular = 0.012F + 0.988F * c * c * c * c;
  const float bone =
      skull_strength_ * profile * suture_gain(place) * specular *
      std::max(0.25F, 1 + 0.35F * texture.coarse + 0.15F * texture.fine);
  Echo echo;
  echo.mirror = 0.75F * bone;
  echo.scatter = 0.45F * bone + 0.05F;
  const float graze = (1 - c) * (1 - c);
  echo.transmission =
      -narrow(head_.ossification) * profile * (0.012F + 0.06F * graze);
  return echo;
}

// Negative inside the fluid pocket, in units of its size.
float Scene::pocket_distance(const BeamPoint& point,
                             const Texture& texture) const {
  const float a = (point.x - pocket_x_) / pocket_semi_x_;
  const float b = (point.y - pocket_y_) / pocket_semi_y_;
  return std::sqrt(a * a + b * b) - 1 + pocket_wobble_ * texture.form;
}

Echo Scene::outside_echo(const BeamPoint& point, const HeadPoint& place,
                         const Texture& texture) const {
  Echo echo;
  const float pocket = pocket_distance(point, texture);
  const float to_wall_px = pocket * pocket_semi_y_;
  if (to_wall_px < 0) {
    echo.scatter = kFluid;
    echo.transmission = kFluidTransmission;
    return echo;
  }
  const bool above = point.y < pocket_y_;
  const bool placenta =
      above == anterior_placenta_ && to_wall_px < placenta_px_;
  const float mottle = std::exp(0.35F * texture.form + 0.3F * texture.coarse +
                                0.25F * texture.fine);
  echo.scatter = tissue_strength_ * mottle * (placenta ? 1.5F : 0.75F);
  echo.mirror = 0.35F * std::max(0.0F, texture.streak - 1.0F);
  // The inner surface of the uterus is an interface too.
  echo.mirror += 1.3F * bump(to_wall_px - 3, 5.0F) * (above ? 0.7F : 1.0F);
  if (placenta) echo.mirror += 0.5F * bump(to_wall_px - placenta_px_ + 6, 6.0F);
  if (point.depth < wall_depth_px_) {
    // Skin, fat and muscle lie in layers across the beam.
    echo.scatter *=
        1.2F + 0.5F * std::sin(point.depth * 0.35F + texture.coarse);
    echo.mirror += 0.8F * bump(point.depth - wall_depth_px_ + 5, 5.0F);
  }
  // The scalp is a thin soft layer on the skull.
  const float scalp_px = -place.to_edge_px;
  if (scalp_px < 0.5F * skull_px_)
    echo.scatter = std::max(echo.scatter * 0.4F, 0.12F);
  return echo;
}

Echo Scene::at(const BeamPoint& point, const Texture& texture,
               float& inside) const {
  const HeadPoint place = locate(point);
  inside = std::max(0.0F, 1 - place.radius);
  if (place.radius > 1) return outside_echo(point, place, texture);
  const float skull_end = 1.15F * skull_px_;
  if (place.to_edge_px < skull_end) return skull_echo(place, texture);
  const float facing = std::abs(-point.beam_x * sin_ + point.beam_y * cos_);
  return brain_echo(head_, place.u, place.v, facing, texture);
}

}  // namespace sono
