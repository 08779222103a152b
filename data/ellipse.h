#pragma once
// The ellipse that obstetrics draws around a fetal head, on the pixel grid:
// pixel (x, y) has its centre at the point (x, y).

#include <opencv2/core.hpp>
#include <optional>
#include <vector>

namespace sono {

struct Ellipse {
  double center_x = 0;  // px
  double center_y = 0;
  double semi_major = 0;  // px, semi_major >= semi_minor > 0
  double semi_minor = 0;
  double angle = 0;  // rad, of the major axis from +x towards +y, in [0, pi)
};

// Axis-aligned extent in px, inclusive on both sides.
struct Box {
  double x0 = 0;
  double y0 = 0;
  double x1 = 0;
  double y1 = 0;
};

// The ellipse through the given points (Fitzgibbon's direct least squares,
// which cannot return a hyperbola). Nothing when fewer than five points, when
// they lie on a line, or when the fit has no finite area.
std::optional<Ellipse> fit_ellipse_to_points(
    const std::vector<cv::Point>& points);

// The ellipse through the centres of the boundary pixels of the largest
// component of `mask` (CV_8UC1, non-zero is foreground). This is the field's
// convention: it lies 0.3 px or so inside the region's true edge, and over the
// 279 HC18 masks its circumference exceeds the published one by 0.64 % (sd
// 0.19, at most 1.5) where the region's second moments give 0.90 % (sd 0.28,
// at most 2.2), since those masks hold the width of the drawn line.
std::optional<Ellipse> fit_ellipse(const cv::Mat& mask);

// Circumference in px by Ramanujan's second formula; below 1e-5 relative error
// for axis ratios above 0.2.
double circumference(const Ellipse& ellipse);

// Circumference in mm with a pixel of spacing_x_mm by spacing_y_mm.
double circumference_mm(const Ellipse& ellipse, double spacing_x_mm,
                        double spacing_y_mm);

// The ellipse after scaling the x axis by scale_x and the y axis by scale_y.
Ellipse scaled(const Ellipse& ellipse, double scale_x, double scale_y);

// CV_8UC1 [H, W]: 255 where the pixel's centre lies in the ellipse, else 0.
cv::Mat render_filled(const Ellipse& ellipse, cv::Size size);

// The tight box around the ellipse, not clipped to any frame.
Box bounding_box(const Ellipse& ellipse);

}  // namespace sono
