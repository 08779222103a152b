#pragma once

namespace sono {

// Size of a pixel along each axis, in the unit the distances shall have.
// {1, 1} measures in pixels.
struct PixelSpacing {
  double x = 1;
  double y = 1;
};

}  // namespace sono
