#include "data/phantom/scanner.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "core/check.h"

namespace sono {
namespace {

// A console with a wide curved array: fine speckle, wide dynamic range, the
// head fills the frame.
ScannerStyle curved_style() {
  ScannerStyle style;
  style.name = "curved";
  style.apex_depth = {220, 520};
  style.surface = {-40, 22};
  style.depth = {540, 640};
  style.half_angle = {0.46, 0.66};
  style.axial_psf = {1.7, 2.5};
  style.lateral_psf = {3.0, 4.6};
  style.smoothing = {0.9, 1.7};
  style.top_db = {19, 26};
  style.range_db = {52, 62};
  style.gamma = {1.6, 2.1};
  style.noise_db = {-46, -32};
  style.clutter_db = {-24, -12};
  style.head_share = {1.38, 1.98};
  style.early_head_share = {0.80, 1.62};
  style.tilt = {-0.45, 0.55};
  style.off_centre = 0.07;
  style.full_frame_share = 0.25;
  style.has_grey_bar = true;
  return style;
}

// A hand-held phased array: the whole fan is shown, the head is smaller and
// deeper; coarse speckle, a short dynamic range, haze and noise.
ScannerStyle portable_style() {
  ScannerStyle style;
  style.name = "portable";
  style.apex_depth = {-12, 40};
  style.surface = {14, 34};
  style.depth = {505, 532};
  style.half_angle = {0.66, 0.80};
  style.axial_psf = {2.6, 3.6};
  style.lateral_psf = {4.2, 6.5};
  style.smoothing = {0.6, 0.9};
  style.top_db = {17, 24};
  style.range_db = {42, 50};
  style.gamma = {1.2, 1.6};
  style.noise_db = {-30, -22};
  style.clutter_db = {-16, -8};
  style.head_share = {1.00, 1.36};
  style.early_head_share = {0.55, 0.95};
  style.tilt = {-0.7, 0.7};
  style.off_centre = 0.05;
  return style;
}

}  // namespace

const std::vector<std::string>& scanner_style_names() {
  static const std::vector<std::string> names = {"curved", "portable"};
  return names;
}

const ScannerStyle& scanner_style(std::string_view name) {
  static const ScannerStyle curved = curved_style(),
                            portable = portable_style();
  SONO_CHECK(name == curved.name || name == portable.name,
             "no scanner style " << name);
  return name == curved.name ? curved : portable;
}

bool Sector::contains(double x, double y) const {
  const double radius = std::hypot(x - apex_x, y - apex_y);
  return radius > near_radius && radius < far_radius &&
         std::abs(std::atan2(x - apex_x, y - apex_y)) < half_angle;
}

ScannerSetting draw_setting(const ScannerStyle& style, Random& random) {
  const auto amplitude = [](double decibel) {
    return std::pow(10.0, decibel / 20);
  };
  ScannerSetting setting;
  auto& sector = setting.sector;
  sector.apex_x = kReferenceWidth / 2.0 + random.uniform(-25, 25);
  sector.apex_y = -style.apex_depth.draw(random);
  sector.half_angle = style.half_angle.draw(random);
  double surface = style.surface.draw(random), depth = style.depth.draw(random);
  if (random.uniform() < style.full_frame_share) {
    sector.apex_y -= 500;
    surface = -60;
    depth = 680;
  }
  sector.near_radius = surface - sector.apex_y;
  sector.far_radius = depth - sector.apex_y;
  setting.axial_psf = style.axial_psf.draw(random);
  setting.lateral_psf = style.lateral_psf.draw(random);
  setting.smoothing = style.smoothing.draw(random);
  setting.top_db = style.top_db.draw(random);
  setting.range_db = style.range_db.draw(random);
  setting.gamma = style.gamma.draw(random);
  setting.noise = amplitude(style.noise_db.draw(random));
  setting.clutter = amplitude(style.clutter_db.draw(random));
  setting.has_grey_bar = style.has_grey_bar;
  return setting;
}

cv::Mat compress(const cv::Mat& envelope, const ScannerSetting& setting) {
  // From shown level in 1/1024 to grey: the power is too dear for every sample.
  constexpr int kLevels = 1024;
  std::array<std::uint8_t, kLevels> grey{};
  for (int level = 0; level < kLevels; ++level) {
    grey[level] = static_cast<std::uint8_t>(
        std::lround(255 * std::pow(level / (kLevels - 1.0), setting.gamma)));
  }
  cv::Mat nepers;
  cv::log(envelope + 1e-6F, nepers);
  const auto slope =
      static_cast<float>(20 / std::log(10.0) / setting.range_db * kLevels);
  const auto offset =
      static_cast<float>((1 - setting.top_db / setting.range_db) * kLevels);
  cv::Mat out(envelope.size(), CV_8UC1);
  for (int row = 0; row < out.rows; ++row) {
    const float* in = nepers.ptr<float>(row);
    std::uint8_t* to = out.ptr<std::uint8_t>(row);
    for (int col = 0; col < out.cols; ++col) {
      const float level =
          std::clamp(in[col] * slope + offset, 0.0F, kLevels - 1.0F);
      to[col] = grey[static_cast<std::size_t>(level)];
    }
  }
  return out;
}

cv::Mat scan_convert(const cv::Mat& polar, const Sector& sector, cv::Size size,
                     double scale) {
  // The map is smooth: computed at every 8th pixel with a margin of one node,
  // enlarged linearly (cv::resize aligns pixel centres), then cropped.
  constexpr int kStep = 8;
  const cv::Size nodes((size.width + kStep - 1) / kStep + 2,
                       (size.height + kStep - 1) / kStep + 2);
  cv::Mat lines(nodes, CV_32FC1), depths(nodes, CV_32FC1);
  const double rows_per_px =
      (polar.rows - 1) / (sector.far_radius - sector.near_radius);
  const double lines_per_rad = (polar.cols - 1) / (2 * sector.half_angle);
  for (int i = 0; i < nodes.height; ++i) {
    for (int j = 0; j < nodes.width; ++j) {
      const double col = (j - 0.5) * kStep - 0.5, row = (i - 0.5) * kStep - 0.5;
      const double x = (col - (size.width - 1) / 2.0) / scale +
                       (kReferenceWidth - 1) / 2.0 - sector.apex_x;
      const double y = (row - (size.height - 1) / 2.0) / scale +
                       (kReferenceHeight - 1) / 2.0 - sector.apex_y;
      const double angle = std::atan2(x, y) + sector.half_angle;
      const double depth = std::hypot(x, y) - sector.near_radius;
      lines.at<float>(i, j) = static_cast<float>(angle * lines_per_rad);
      depths.at<float>(i, j) = static_cast<float>(depth * rows_per_px);
    }
  }
  const cv::Size enlarged(nodes.width * kStep, nodes.height * kStep);
  cv::resize(lines, lines, enlarged, 0, 0, cv::INTER_LINEAR);
  cv::resize(depths, depths, enlarged, 0, 0, cv::INTER_LINEAR);
  const cv::Rect frame(kStep, kStep, size.width, size.height);
  cv::Mat image;
  cv::remap(polar, image, lines(frame), depths(frame), cv::INTER_LINEAR,
            cv::BORDER_CONSTANT, cv::Scalar(0));
  return image;
}

}  // namespace sono
