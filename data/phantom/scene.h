#pragma once
// Everything a scan line passes: abdominal wall, uterus, placenta, amniotic
// fluid, the skull and what is in it.

#include <numbers>

#include "core/random.h"
#include "data/phantom/brain.h"
#include "data/phantom/view.h"

namespace sono {

// A point of a scan line in reference px and the unit vector of the beam.
struct BeamPoint {
  float x = 0;
  float y = 0;
  float beam_x = 0;
  float beam_y = 1;
  float depth = 0;  // px from the transducer's face
};

class Scene {
 public:
  // Draws the surroundings from `random`.
  Scene(const HeadAnatomy& head, const HeadView& view, Random& random);

  // `inside` becomes the depth in the head from its outer edge, in units of
  // the radius: 0 at the skull and outside, 1 at the centre.
  Echo at(const BeamPoint& point, const Texture& texture, float& inside) const;

 private:
  // A place relative to the head.
  struct HeadPoint {
    float u, v;        // along the front axis and across, 1 at the skull
    float radius;      // sqrt(u^2 + v^2)
    float incidence;   // |cos| of the angle between beam and skull normal
    float to_edge_px;  // distance inward from the outer edge
  };
  HeadPoint locate(const BeamPoint& point) const;
  Echo skull_echo(const HeadPoint& place, const Texture& texture) const;
  Echo outside_echo(const BeamPoint& point, const HeadPoint& place,
                    const Texture& texture) const;
  float pocket_distance(const BeamPoint& point, const Texture& texture) const;
  float suture_gain(const HeadPoint& place) const;

  HeadAnatomy head_;
  Ellipse outline_;
  float cos_, sin_;    // of the front axis
  float skull_px_;     // thickness
  float facing_sign_;  // makes v grow away from the transducer
  float skull_strength_;
  // The pocket of amniotic fluid around the head.
  float pocket_x_, pocket_y_, pocket_semi_x_, pocket_semi_y_, pocket_wobble_;
  float wall_depth_px_;  // abdominal wall
  bool anterior_placenta_;
  float placenta_px_;
  float tissue_strength_;
  static constexpr int kSutures = 3;
  float suture_angle_[kSutures];
};

}  // namespace sono
