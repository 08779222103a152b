#include "experiments/metrics/outline.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <opencv2/imgproc.hpp>

#include "core/check.h"

namespace sono {
namespace {

// The mask's part that holds its foreground as bytes 0 and 255, with `margin`
// empty pixels around it; `offset` is where its pixel (0, 0) lies.
struct Cutout {
  cv::Mat bytes;
  cv::Point offset;
};

Cutout cut_out(const cv::Mat& mask, int margin) {
  SONO_CHECK_EQ(mask.type(), CV_8UC1);
  const cv::Rect box = cv::boundingRect(mask);
  Cutout part{
      cv::Mat::zeros(box.height + 2 * margin, box.width + 2 * margin, CV_8UC1),
      {box.x - margin, box.y - margin}};
  if (box.empty()) return part;
  cv::Mat inside = part.bytes({margin, margin, box.width, box.height});
  cv::compare(mask(box), 0, inside, cv::CMP_NE);
  return part;
}

// Calls visit(x) for the non-zero bytes of a row; skips eight zeros at once.
template <typename Visit>
void visit_nonzero(const std::uint8_t* row, int count, Visit visit) {
  int x = 0;
  while (x < count) {
    std::uint64_t eight = 1;
    if (x + 8 <= count) std::memcpy(&eight, row + x, sizeof(eight));
    const int end = std::min(count, x + 8);
    for (; eight != 0 && x < end; ++x) {
      if (row[x]) visit(x);
    }
    x = end;
  }
}

// A pixel's place among its four at a corner: upper left 8, upper right 4,
// lower left 2, lower right 1.
int corner_code(const std::uint8_t* above, const std::uint8_t* below, int x) {
  return (above[x] & 8) | (above[x + 1] & 4) | (below[x] & 2) |
         (below[x + 1] & 1);
}

// Length of outline near a corner, by code.
std::vector<double> contour_lengths(PixelSpacing spacing) {
  const double half = 0.5 * std::hypot(spacing.x, spacing.y);
  std::vector<double> lengths(16, half);
  lengths[0] = lengths[15] = 0;
  lengths[3] = lengths[12] = spacing.x;
  lengths[5] = lengths[10] = spacing.y;
  lengths[6] = lengths[9] = 2 * half;
  return lengths;
}

// The points of an outline by row.
class RowIndex {
 public:
  RowIndex(const std::vector<cv::Point>& points, PixelSpacing spacing)
      : points_(points), spacing_(spacing), top_(points.front().y) {
    begin_.assign(points.back().y - top_ + 2, 0);
    for (const cv::Point& point : points) ++begin_[point.y - top_ + 1];
    for (std::size_t i = 1; i < begin_.size(); ++i) begin_[i] += begin_[i - 1];
  }

  // Squared distance to the nearest point. Rows are searched from the nearest
  // outwards, until no further row can hold a nearer one.
  double nearest_squared(cv::Point from) const {
    const int rows = static_cast<int>(begin_.size()) - 1;
    const int y = from.y - top_;
    double best = std::numeric_limits<double>::infinity();
    const int first = y < 0 ? -y : std::max(0, y - rows + 1);
    const int last = std::max(y, rows - 1 - y);
    for (int step = first; step <= last; ++step) {
      const double across = step * spacing_.y;
      if (across * across >= best) break;
      best = std::min(best, across * across + nearest_in_row(y - step, from.x));
      if (step > 0) {
        best =
            std::min(best, across * across + nearest_in_row(y + step, from.x));
      }
    }
    return best;
  }

 private:
  // Squared distance along x to the nearest point of a row; infinite without.
  double nearest_in_row(int row, int x) const {
    if (row < 0 || row + 1 >= static_cast<int>(begin_.size())) return kFar;
    const cv::Point* begin = points_.data() + begin_[row];
    const cv::Point* end = points_.data() + begin_[row + 1];
    if (begin == end) return kFar;
    const cv::Point* right = std::lower_bound(
        begin, end, x, [](const cv::Point& p, int at) { return p.x < at; });
    int nearest = std::numeric_limits<int>::max();
    if (right != end) nearest = right->x - x;
    if (right != begin) nearest = std::min(nearest, x - (right - 1)->x);
    const double along = nearest * spacing_.x;
    return along * along;
  }

  static constexpr double kFar = std::numeric_limits<double>::infinity();
  const std::vector<cv::Point>& points_;
  PixelSpacing spacing_;
  int top_;
  std::vector<int> begin_;  // of each row's points, and the end of the last
};

}  // namespace

Outline edge_pixels(const cv::Mat& mask) {
  const Cutout part = cut_out(mask, 1);
  const int width = part.bytes.cols;
  Outline outline;
  std::vector<std::uint8_t> edge(width);
  for (int y = 1; y + 1 < part.bytes.rows; ++y) {
    const std::uint8_t* above = part.bytes.ptr<std::uint8_t>(y - 1);
    const std::uint8_t* row = part.bytes.ptr<std::uint8_t>(y);
    const std::uint8_t* below = part.bytes.ptr<std::uint8_t>(y + 1);
    for (int x = 1; x + 1 < width; ++x) {
      edge[x] = row[x] & ~(above[x] & below[x] & row[x - 1] & row[x + 1]);
    }
    visit_nonzero(edge.data(), width, [&](int x) {
      outline.points.emplace_back(x + part.offset.x, y + part.offset.y);
    });
  }
  outline.weights.assign(outline.points.size(), 1.0);
  return outline;
}

Outline corner_contour(const cv::Mat& mask, PixelSpacing spacing) {
  const Cutout part = cut_out(mask, 1);
  const std::vector<double> lengths = contour_lengths(spacing);
  Outline outline;
  for (int y = 0; y + 1 < part.bytes.rows; ++y) {
    const std::uint8_t* above = part.bytes.ptr<std::uint8_t>(y);
    const std::uint8_t* below = part.bytes.ptr<std::uint8_t>(y + 1);
    for (int x = 0; x + 1 < part.bytes.cols; ++x) {
      const int code = corner_code(above, below, x);
      if (code == 0 || code == 15) continue;
      outline.points.emplace_back(x + 1 + part.offset.x, y + 1 + part.offset.y);
      outline.weights.push_back(lengths[code]);
    }
  }
  return outline;
}

std::vector<double> nearest_distances(const Outline& from, const Outline& to,
                                      PixelSpacing spacing) {
  SONO_CHECK(spacing.x > 0 && spacing.y > 0, "pixel spacing must be positive");
  SONO_CHECK(!to.points.empty(), "no point to measure the distance to");
  const RowIndex index(to.points, spacing);
  std::vector<double> distances;
  distances.reserve(from.points.size());
  for (const cv::Point& point : from.points) {
    distances.push_back(std::sqrt(index.nearest_squared(point)));
  }
  return distances;
}

}  // namespace sono
