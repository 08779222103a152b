#include "data/phantom/view.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sono {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kMarginPx = 6;

bool is_inside(const Ellipse& outline, const Sector& sector) {
  constexpr int kPoints = 32;
  const double c = std::cos(outline.angle), s = std::sin(outline.angle);
  for (int i = 0; i < kPoints; ++i) {
    const double a = outline.semi_major * std::cos(2 * kPi * i / kPoints);
    const double b = outline.semi_minor * std::sin(2 * kPi * i / kPoints);
    const double x = outline.center_x + a * c - b * s;
    const double y = outline.center_y + a * s + b * c;
    const bool in_frame = x > kMarginPx &&
                          x < kReferenceWidth - 1 - kMarginPx &&
                          y > kMarginPx && y < kReferenceHeight - 1 - kMarginPx;
    if (!in_frame || !sector.contains(x, y)) return false;
  }
  return true;
}

// The ellipse of the given circumference (px) and axis ratio.
Ellipse sized_ellipse(double circumference_px, double axis_ratio) {
  Ellipse unit;
  unit.semi_major = 1;
  unit.semi_minor = axis_ratio;
  const double semi_major = circumference_px / circumference(unit);
  return {0, 0, semi_major, semi_major * axis_ratio, 0};
}

// The middle of the part of the sector that the frame shows.
cv::Point2d middle(const Sector& sector) {
  const double top = std::max(0.0, sector.apex_y + sector.near_radius);
  const double bottom =
      std::min<double>(kReferenceHeight - 1, sector.apex_y + sector.far_radius);
  return {sector.apex_x, 0.5 * (top + bottom) + 0.02 * kReferenceHeight};
}

}  // namespace

HeadView draw_head_view(const HeadAnatomy& head, const ScannerStyle& style,
                        const Sector& sector, Random& random) {
  const bool early = head.trimester == 1;
  double share =
      (early ? style.early_head_share : style.head_share).draw(random);
  const double plane = 1 + 0.01 * random.uniform(-1, 1);
  const double tilt = early ? 1.5 : 1.0;
  const cv::Point2d centre = middle(sector);
  const double spread = style.off_centre * (early ? 1.5 : 1.0);
  HeadView view;
  // A head that sticks out is drawn again a little smaller and nearer the
  // middle; after enough tries it is small and central, which always fits.
  for (double freedom = 1;; freedom *= 0.93) {
    view.outline = sized_ellipse(share * kReferenceWidth, head.axis_ratio);
    view.front_angle = tilt * freedom * style.tilt.draw(random);
    view.outline.center_x =
        centre.x + freedom * spread * kReferenceWidth * random.normal();
    view.outline.center_y =
        centre.y + freedom * spread * kReferenceHeight * random.normal();
    view.outline.angle = std::fmod(view.front_angle + kPi, kPi);
    if (is_inside(view.outline, sector)) break;
    share *= 0.985;
  }
  if (random.uniform() < 0.5) view.front_angle += kPi;
  view.hc_mm = head.hc_mm * plane;
  view.pixel_size_mm = view.hc_mm / circumference(view.outline);
  return view;
}

}  // namespace sono
