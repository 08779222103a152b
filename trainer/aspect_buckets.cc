#include "trainer/aspect_buckets.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <set>

#include "core/error.h"

namespace sono {
namespace {

int floor_to(double value, int step) {
  return std::max(step, static_cast<int>(value / step) * step);
}

double log_aspect(cv::Size size) {
  return std::log(static_cast<double>(size.width) / size.height);
}

// Its own size, made smaller where it has more than the area.
cv::Size own_bucket(const AspectBucketConfig& c, cv::Size native) {
  const double area = double(c.resolution) * c.resolution;
  const double shrink =
      std::min(1.0, std::sqrt(area / (double(native.width) * native.height)));
  return {floor_to(native.width * shrink, c.step),
          floor_to(native.height * shrink, c.step)};
}

}  // namespace

void AspectBucketConfig::validate(const std::string& prefix) const {
  check_range(prefix + ".resolution", resolution, 8, 8192);
  check_range(prefix + ".step", step, 8, 1024);
  check_range(prefix + ".min_side", min_side, 8, 8192);
  check_range(prefix + ".max_side", max_side, min_side, 8192);
  if (step % 8 != 0 || resolution % 8 != 0) {
    throw ConfigError("options " + prefix +
                      ".resolution = " + std::to_string(resolution) + " and " +
                      prefix + ".step = " + std::to_string(step) +
                      " must be multiples of 8, the autoencoder's factor");
  }
  if (aspect && bucket_sizes(*this).empty()) {
    throw ConfigError(
        "no size fits between " + prefix +
        ".min_side = " + std::to_string(min_side) + " and " + prefix +
        ".max_side = " + std::to_string(max_side) + " with an area of about " +
        prefix + ".resolution = " + std::to_string(resolution) + " squared");
  }
}

void describe(OptionTable& table, const std::string& prefix,
              AspectBucketConfig& c) {
  const auto add = [&](const char* key, auto* field, const char* help) {
    table.add(prefix + "." + key, field, OptionKind::kResult, help);
  };
  add("resolution", &c.resolution,
      "images have about this many px squared; cost grows with its square");
  add("aspect", &c.aspect,
      "keep shapes by sizes of several aspect ratios, else squares");
  add("step", &c.step, "sides are multiples of this, px");
  add("min_side", &c.min_side, "shortest side of a size, px");
  add("max_side", &c.max_side, "longest side of a size, px");
  add("no_upscale", &c.no_upscale, "never enlarge an image");
}

std::vector<cv::Size> bucket_sizes(const AspectBucketConfig& c) {
  const double area = double(c.resolution) * c.resolution;
  std::set<std::pair<int, int>> found;
  const int first = (c.min_side + c.step - 1) / c.step * c.step;
  for (int width = first; width <= c.max_side; width += c.step) {
    const int height =
        std::min(c.max_side, static_cast<int>(area / width)) / c.step * c.step;
    if (height < first) continue;
    found.emplace(width, height);
    found.emplace(height, width);
  }
  std::vector<cv::Size> sizes;
  for (const auto& [width, height] : found) sizes.emplace_back(width, height);
  return sizes;
}

cv::Size choose_bucket(const AspectBucketConfig& c, cv::Size native) {
  if (!c.aspect) return {c.resolution, c.resolution};
  if (c.no_upscale) return own_bucket(c, native);
  const auto sizes = bucket_sizes(c);
  const double wanted = log_aspect(native);
  return *std::min_element(sizes.begin(), sizes.end(),
                           [&](cv::Size a, cv::Size b) {
                             const double da = std::abs(log_aspect(a) - wanted);
                             const double db = std::abs(log_aspect(b) - wanted);
                             // Of one shape the larger.
                             return da != db ? da < db : a.area() > b.area();
                           });
}

cv::Mat fit_to_bucket(const cv::Mat& image, cv::Size bucket) {
  const double scale = std::max(double(bucket.width) / image.cols,
                                double(bucket.height) / image.rows);
  const cv::Size cover(
      std::max(bucket.width, static_cast<int>(std::lround(image.cols * scale))),
      std::max(bucket.height,
               static_cast<int>(std::lround(image.rows * scale))));
  cv::Mat resized;
  cv::resize(image, resized, cover, 0, 0,
             scale < 1 ? cv::INTER_AREA : cv::INTER_CUBIC);
  const cv::Rect middle((cover.width - bucket.width) / 2,
                        (cover.height - bucket.height) / 2, bucket.width,
                        bucket.height);
  return resized(middle).clone();
}

}  // namespace sono
