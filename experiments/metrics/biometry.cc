#include "experiments/metrics/biometry.h"

#include "core/check.h"
#include "data/ellipse.h"

namespace sono {

std::optional<HeadCircumference> measure_head(
    const cv::Mat& mask, std::optional<PixelSpacing> spacing_mm) {
  const std::optional<Ellipse> ellipse = fit_ellipse(mask);
  if (!ellipse) return std::nullopt;
  HeadCircumference head{circumference(*ellipse), std::nullopt};
  if (spacing_mm) {
    head.mm = circumference_mm(*ellipse, spacing_mm->x, spacing_mm->y);
  }
  return head;
}

double relative_error_pct(double value, double reference) {
  SONO_CHECK(reference > 0, "reference " << reference);
  return 100.0 * (value - reference) / reference;
}

}  // namespace sono
