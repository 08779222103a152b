#pragma once
// Where the head lies in the frame of one image.

#include "data/ellipse.h"
#include "data/phantom/anatomy.h"
#include "data/phantom/scanner.h"

namespace sono {

// In px of the 800x540 reference frame; pixel (x, y) has its centre at (x, y).
struct HeadView {
  Ellipse outline;  // outer edge of the skull
  // Of the axis that points to the face, from +x towards +y, in (-pi, pi].
  double front_angle = 0;
  double pixel_size_mm = 0;
  double hc_mm = 0;  // of this plane: within 1 % of the anatomy's
};

// Lies whole inside the frame and the sector.
HeadView draw_head_view(const HeadAnatomy& head, const ScannerStyle& style,
                        const Sector& sector, Random& random);

}  // namespace sono
