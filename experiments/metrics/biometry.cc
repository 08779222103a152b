#include "experiments/metrics/biometry.h"

#include "core/check.h"
#include "data/ellipse.h"

namespace sono {
namespace {

HeadBiometry biometry_of(const Ellipse& ellipse) {
  return {circumference(ellipse), 2 * ellipse.semi_minor,
          2 * ellipse.semi_major};
}

}  // namespace

std::optional<MeasuredHead> measure_head(
    const cv::Mat& mask, std::optional<PixelSpacing> spacing_mm) {
  const std::optional<Ellipse> ellipse = fit_ellipse(mask);
  if (!ellipse) return std::nullopt;
  MeasuredHead head{biometry_of(*ellipse), std::nullopt};
  if (spacing_mm) {
    head.mm = biometry_of(scaled(*ellipse, spacing_mm->x, spacing_mm->y));
  }
  return head;
}

double relative_error_pct(double value, double reference) {
  SONO_CHECK(reference > 0, "reference " << reference);
  return 100.0 * (value - reference) / reference;
}

}  // namespace sono
