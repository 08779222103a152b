#include "data/phantom/speckle.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "core/check.h"

namespace sono {
namespace {

// The focus is followed by one kernel a band of rows: neighbouring kernels
// differ by a few per cent, so no seam is visible.
constexpr int kBands = 12;

cv::Mat gaussian_kernel(double sigma) {
  const int radius = std::max(1, static_cast<int>(std::ceil(2.6 * sigma)));
  return cv::getGaussianKernel(2 * radius + 1, sigma, CV_32F);
}

double lateral_sigma(const PointSpread& spread, double depth) {
  const bool before = depth < spread.focus;
  const double edge = before ? spread.lateral_near : spread.lateral_far;
  const double t = before ? (spread.focus - depth) / spread.focus
                          : (depth - spread.focus) / (1 - spread.focus);
  return spread.lateral_focus + (edge - spread.lateral_focus) * t * t;
}

// A uniform deviate of unit variance from 16 bits; the point-spread function
// adds up tens of them, so the filtered field is Gaussian.
float unit_uniform(std::uint32_t half_word) {
  constexpr float kRootThree = 1.7320508F;
  return (static_cast<float>(half_word) * 0x1.0p-15F - 1.0F) * kRootThree;
}

// In-phase and quadrature parts of the field before the point-spread function.
void fill_field(const cv::Mat& scatter, const cv::Mat& mirror, int row,
                float gain, Random& random, cv::Mat& in_phase,
                cv::Mat& quadrature) {
  const float* s = scatter.ptr<float>(row);
  const float* m = mirror.ptr<float>(row);
  float* i = in_phase.ptr<float>(row);
  float* q = quadrature.ptr<float>(row);
  for (int col = 0; col < scatter.cols; ++col) {
    const std::uint32_t word = random.bits();
    i[col] = s[col] * gain * unit_uniform(word & 0xFFFF) + m[col];
    q[col] = s[col] * gain * unit_uniform(word >> 16);
  }
}

}  // namespace

cv::Mat smooth_noise(Random& random, cv::Size size, int cells_down,
                     int cells_across) {
  cv::Mat cells(cells_down + 2, cells_across + 2, CV_32FC1);
  for (int row = 0; row < cells.rows; ++row) {
    random.fill_normal(cells.ptr<float>(row),
                       static_cast<std::size_t>(cells.cols));
  }
  cv::Mat field;
  cv::resize(cells, field, size, 0, 0, cv::INTER_CUBIC);
  return field * 1.3;  // takes back the variance lost between the cells
}

cv::Mat speckle_envelope(const cv::Mat& scatter, const cv::Mat& mirror,
                         const PointSpread& spread, Random& random) {
  SONO_CHECK_EQ(scatter.type(), CV_32FC1);
  SONO_CHECK_EQ(mirror.type(), CV_32FC1);
  SONO_CHECK(scatter.size() == mirror.size(),
             "scatter and mirror differ in size");
  const int rows = scatter.rows;
  const cv::Mat axial = gaussian_kernel(spread.axial);
  std::vector<cv::Mat> lateral;
  cv::Mat in_phase(scatter.size(), CV_32FC1),
      quadrature(scatter.size(), CV_32FC1);
  for (int band = 0; band < kBands; ++band) {
    lateral.push_back(
        gaussian_kernel(lateral_sigma(spread, (band + 0.5) / kBands)));
    const auto gain =
        static_cast<float>(1 / (cv::norm(axial) * cv::norm(lateral[band])));
    for (int row = rows * band / kBands; row < rows * (band + 1) / kBands;
         ++row) {
      fill_field(scatter, mirror, row, gain, random, in_phase, quadrature);
    }
  }
  cv::Mat blurred_i(scatter.size(), CV_32FC1),
      blurred_q(scatter.size(), CV_32FC1);
  for (int band = 0; band < kBands; ++band) {
    const cv::Range range(rows * band / kBands, rows * (band + 1) / kBands);
    if (range.empty()) continue;
    // A row range is a view, so the filter sees the neighbouring bands' rows.
    cv::sepFilter2D(in_phase.rowRange(range), blurred_i.rowRange(range), CV_32F,
                    lateral[band], axial);
    cv::sepFilter2D(quadrature.rowRange(range), blurred_q.rowRange(range),
                    CV_32F, lateral[band], axial);
  }
  cv::Mat envelope;
  cv::magnitude(blurred_i, blurred_q, envelope);
  return envelope;
}

}  // namespace sono
