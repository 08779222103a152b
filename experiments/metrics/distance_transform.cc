#include "experiments/metrics/distance_transform.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/check.h"

namespace sono {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Squared distance to the nearest point of the same column.
void measure_column(const cv::Mat& points, int x, double spacing,
                    cv::Mat& squared) {
  double steps = kInfinity;
  for (int y = 0; y < points.rows; ++y) {
    steps = points.at<std::uint8_t>(y, x) ? 0 : steps + 1;
    squared.at<double>(y, x) = steps;
  }
  steps = kInfinity;
  for (int y = points.rows - 1; y >= 0; --y) {
    double& cell = squared.at<double>(y, x);
    steps = cell == 0 ? 0 : steps + 1;
    const double distance = std::min(cell, steps) * spacing;
    cell = distance * distance;
  }
}

// The lower envelope of the parabolas (spacing * (x - vertex))^2 + height.
class Envelope {
 public:
  explicit Envelope(int num_columns)
      : vertex_(num_columns), from_(num_columns) {}

  void build(const double* height, int num_columns, double spacing_squared) {
    size_ = 0;
    for (int x = 0; x < num_columns; ++x) {
      if (height[x] == kInfinity) continue;
      double crossing = -kInfinity;
      while (size_ > 0) {
        crossing = cross(height, vertex_[size_ - 1], x, spacing_squared);
        if (crossing > from_[size_ - 1]) break;
        --size_;
      }
      vertex_[size_] = x;
      from_[size_] = size_ == 0 ? -kInfinity : crossing;
      ++size_;
    }
  }

  // Writes the envelope at 0 .. num_columns-1; all infinite when it is empty.
  void write(const double* height, int num_columns, double spacing_squared,
             double* out) const {
    int k = 0;
    for (int x = 0; x < num_columns; ++x) {
      while (k + 1 < size_ && from_[k + 1] < x) ++k;
      const double offset = size_ > 0 ? x - vertex_[k] : 0;
      out[x] = size_ > 0
                   ? offset * offset * spacing_squared + height[vertex_[k]]
                   : kInfinity;
    }
  }

 private:
  // Where the parabola of `right` falls below that of `left`.
  static double cross(const double* height, int left, int right,
                      double spacing_squared) {
    const double rise = (height[right] - height[left]) / spacing_squared;
    const double squares =
        static_cast<double>(right) * right - static_cast<double>(left) * left;
    return (rise + squares) / (2.0 * (right - left));
  }

  std::vector<int> vertex_;
  std::vector<double> from_;
  int size_ = 0;
};

}  // namespace

cv::Mat squared_distances(const cv::Mat& points, PixelSpacing spacing) {
  SONO_CHECK_EQ(points.type(), CV_8UC1);
  SONO_CHECK(spacing.x > 0 && spacing.y > 0, "pixel spacing must be positive");
  cv::Mat squared(points.size(), CV_64FC1);
  for (int x = 0; x < points.cols; ++x) {
    measure_column(points, x, spacing.y, squared);
  }
  Envelope envelope(points.cols);
  std::vector<double> height(points.cols);
  const double spacing_squared = spacing.x * spacing.x;
  for (int y = 0; y < points.rows; ++y) {
    double* row = squared.ptr<double>(y);
    height.assign(row, row + points.cols);
    envelope.build(height.data(), points.cols, spacing_squared);
    envelope.write(height.data(), points.cols, spacing_squared, row);
  }
  return squared;
}

}  // namespace sono
