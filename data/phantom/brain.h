#pragma once
// What the inside of a fetal head sends back to the transducer, point by point.

#include "data/phantom/anatomy.h"

namespace sono {

// Smooth random fields at one point, each about standard normal.
struct Texture {
  float form = 0;  // bends outlines
  float coarse = 0;
  float fine = 0;
  float streak = 0;  // stretched across the beam
};

// The acoustic response of a point; amplitude 1 is plain soft tissue.
struct Echo {
  float scatter = 0;  // of unresolved scatterers: becomes speckle
  float mirror = 0;   // of an interface facing the beam: no speckle
  // Relative change of the beam's amplitude per px, beyond what the depth gain
  // takes back for soft tissue: fluid is positive, bone is negative.
  float transmission = 0;
};

// A smooth bump: 1 at distance 0, 0 from `width` on.
inline float bump(float distance, float width) {
  const float t = 1 - (distance * distance) / (width * width);
  return t > 0 ? t * t : 0;
}

// The echo at head coordinates (u, v): u along the midline towards the front,
// v across it and away from the transducer; the skull is at u^2 + v^2 = 1.
// `facing` is |cos| of the angle between the beam and the minor axis.
Echo brain_echo(const HeadAnatomy& head, float u, float v, float facing,
                const Texture& texture);

}  // namespace sono
