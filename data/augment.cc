#include "data/augment.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <vector>

#include "data/augment_steps.h"
#include "data/ellipse.h"

namespace sono {
namespace {

constexpr double kPi = std::numbers::pi;

bool chance(Random& random, double probability) {
  return random.uniform() < probability;
}

// ---- geometry ---------------------------------------------------------------

// Applies the 2x3 map (from old to new coordinates) to image and mask. What
// comes from outside the frame is black and not head.
void warp(Sample& sample, const cv::Matx23d& map) {
  const cv::Size size = sample.image.size();
  cv::Mat image;
  cv::warpAffine(sample.image, image, map, size, cv::INTER_LINEAR,
                 cv::BORDER_CONSTANT, 0);
  sample.image = image;
  if (sample.mask.empty()) return;
  cv::Mat mask;
  cv::warpAffine(sample.mask, mask, map, size, cv::INTER_LINEAR,
                 cv::BORDER_CONSTANT, 0);
  sample.mask = mask > 127;
}

void flip_randomly(Sample& sample, Random& random) {
  for (int axis : {1, 0}) {  // left-right, then up-down
    if (!chance(random, 0.5)) continue;
    cv::Mat image;
    cv::flip(sample.image, image, axis);
    sample.image = image;
    if (sample.mask.empty()) continue;
    cv::Mat mask;
    cv::flip(sample.mask, mask, axis);
    sample.mask = mask;
  }
}

// Another head in the same frame: size within a fifth, axis ratio as heads
// have it (cephalic index .68 to .88), turned by up to 25 degrees, moved by up
// to a tenth of its length. Shrunk where the frame is too small for it.
Ellipse sample_head(const Ellipse& head, cv::Size frame, Random& random) {
  Ellipse next = head;
  next.semi_major *= random.uniform(0.8, 1.2);
  next.semi_minor = next.semi_major * random.uniform(0.68, 0.88);
  next.angle += random.uniform(-25, 25) * kPi / 180;
  const double reach = 0.2 * next.semi_major;
  next.center_x += random.uniform(-reach, reach);
  next.center_y += random.uniform(-reach, reach);

  const Box box = bounding_box(next);
  const double shrink = std::min({1.0, 0.98 * frame.width / (box.x1 - box.x0),
                                  0.98 * frame.height / (box.y1 - box.y0)});
  next.semi_major *= shrink;
  next.semi_minor *= shrink;
  const Box fitted = bounding_box(next);
  const double half_width = (fitted.x1 - fitted.x0) / 2;
  const double half_height = (fitted.y1 - fitted.y0) / 2;
  next.center_x =
      std::clamp(next.center_x, half_width, frame.width - half_width);
  next.center_y =
      std::clamp(next.center_y, half_height, frame.height - half_height);
  return next;
}

// The affine map that takes one ellipse onto the other, axis to axis.
cv::Matx23d map_between(const Ellipse& from, const Ellipse& to) {
  const auto rotation = [](double angle) {
    return cv::Matx22d(std::cos(angle), -std::sin(angle), std::sin(angle),
                       std::cos(angle));
  };
  const cv::Matx22d stretch(to.semi_major / from.semi_major, 0, 0,
                            to.semi_minor / from.semi_minor);
  const cv::Matx22d a = rotation(to.angle) * stretch * rotation(-from.angle);
  const cv::Vec2d shift = cv::Vec2d(to.center_x, to.center_y) -
                          a * cv::Vec2d(from.center_x, from.center_y);
  return {a(0, 0), a(0, 1), shift[0], a(1, 0), a(1, 1), shift[1]};
}

void warp_head(Sample& sample, Random& random) {
  if (sample.mask.empty()) return;
  const std::optional<Ellipse> head = fit_ellipse(sample.mask);
  if (!head) return;
  const Ellipse next = sample_head(*head, sample.image.size(), random);
  warp(sample, map_between(*head, next));
  const bool known = sample.spacing_x_mm > 0 && sample.spacing_y_mm > 0;
  sample.hc_reference_mm =
      known ? circumference_mm(next, sample.spacing_x_mm, sample.spacing_y_mm)
            : 0;
}

// ---- ultrasound -------------------------------------------------------------

// CV_32FC1 [H, W]: standard normal noise with a grain of about `grain_px`,
// wider than deep as the point spread of a probe is.
cv::Mat speckle_field(cv::Size size, double grain_px, Random& random) {
  const cv::Size coarse((size.width + 1) / 2, (size.height + 1) / 2);
  cv::Mat field(coarse, CV_32FC1);
  random.fill_normal(field.ptr<float>(), field.total());
  cv::GaussianBlur(field, field, {}, grain_px / 2, grain_px / 4,
                   cv::BORDER_REFLECT);
  cv::Scalar mean, deviation;
  cv::meanStdDev(field, mean, deviation);
  field.convertTo(field, CV_32F, 1 / std::max(1e-6, deviation[0]));
  cv::Mat full;
  cv::resize(field, full, size, 0, 0, cv::INTER_LINEAR);
  return full;
}

// CV_32FC1 [H, W] in 1 - strength .. 1: a wedge of shade below a random depth
// along a beam from an apex above the frame.
cv::Mat shadow_field(cv::Size size, Random& random) {
  const double apex_x = size.width * random.uniform(0.4, 0.6);
  const double apex_y = -size.height * random.uniform(0.2, 0.5);
  const double reach = std::atan2(0.4 * size.width, size.height / 2.0 - apex_y);
  const double beam = random.uniform(-reach, reach);
  const double width = random.uniform(0.03, 0.10);  // rad
  const double depth = size.height * random.uniform(0.1, 0.6) - apex_y;
  const double onset = 0.05 * size.height;
  const double strength = random.uniform(0.3, 0.7);
  cv::Mat field(size, CV_32FC1);
  for (int y = 0; y < size.height; ++y) {
    float* row = field.ptr<float>(y);
    for (int x = 0; x < size.width; ++x) {
      const double dx = x - apex_x;
      const double dy = y - apex_y;
      const double across = (std::atan2(dx, dy) - beam) / width;
      const double below = (std::hypot(dx, dy) - depth) / onset;
      const double shade =
          std::exp(-across * across) * std::clamp(below, 0.0, 1.0);
      row[x] = static_cast<float>(1 - strength * shade);
    }
  }
  return field;
}

// The grey value is decibels: a new dynamic range scales the distance from
// white, gain shifts, depth gain shifts along y, and speckle adds.
void change_scanner(Sample& sample, Random& random) {
  const cv::Size size = sample.image.size();
  cv::Mat grey;
  sample.image.convertTo(grey, CV_32F, 1.0 / 255);
  // The black outside the sector stays black.
  const cv::Mat tissue = cv::min(grey * (255.0 / 12), 1.0);

  const double range = random.uniform(0.8, 1.25);
  const double gain = random.uniform(-0.10, 0.10);
  const double depth_gain = random.uniform(-0.10, 0.10);
  cv::Mat changed = (grey - 1.0) * range + (1.0 + gain);
  for (int y = 0; y < size.height; ++y) {
    changed.row(y) += depth_gain * (2.0 * y / size.height - 1.0);
  }
  const double grain = random.uniform(2.0, 5.0) * size.width / 800;
  const double speckle = random.uniform(0.0, 0.08);
  changed += speckle * speckle_field(size, std::max(1.0, grain), random);
  changed = cv::max(changed, 0.0).mul(tissue);
  if (chance(random, 0.5)) changed = changed.mul(shadow_field(size, random));
  changed.convertTo(sample.image, CV_8U, 255);
}

// ---- the paper's ------------------------------------------------------------

void change_brightness_randomly(Sample& sample, Random& random) {
  const double contrast = random.uniform(0.8, 1.2);
  change_brightness(sample, contrast, random.uniform(-0.2, 0.2));
}

void add_random_noise(Sample& sample, Random& random) {
  cv::Mat noise(sample.image.size(), CV_32FC1);
  random.fill_normal(noise.ptr<float>(), noise.total());
  add_noise(sample, random.uniform(3.0, 7.0) * noise);
}

// Simard et al. 2003: uniform displacements smoothed by sigma, times alpha.
void displace_randomly(Sample& sample, Random& random) {
  constexpr double kAlpha = 120;
  constexpr double kSigma = 12;
  cv::Mat maps[2];
  for (cv::Mat& map : maps) {
    map.create(sample.image.size(), CV_32FC1);
    random.fill_uniform(map.ptr<float>(), map.total());
    map = map * 2 - 1;
    cv::GaussianBlur(map, map, {}, kSigma, kSigma, cv::BORDER_REFLECT);
    map *= kAlpha;
  }
  displace(sample, maps[0], maps[1]);
}

// Up to eight black squares of a sixteenth of the frame's shorter side.
void drop_random_patches(Sample& sample, Random& random) {
  const int side =
      std::max(1, std::min(sample.image.cols, sample.image.rows) / 16);
  std::vector<cv::Rect> patches(1 + random.below(8));
  for (cv::Rect& patch : patches) {
    const auto x = static_cast<int>(random.below(sample.image.cols - side + 1));
    const auto y = static_cast<int>(random.below(sample.image.rows - side + 1));
    patch = {x, y, side, side};
  }
  drop_patches(sample, patches);
}

// Pixels that no other sample shares.
Sample copy_of(const Sample& sample) {
  Sample copy = sample;
  copy.image = sample.image.clone();
  copy.mask = sample.mask.clone();
  return copy;
}

}  // namespace

Sample us_augment(const Sample& sample, Random& random) {
  Sample result = copy_of(sample);
  flip_randomly(result, random);
  warp_head(result, random);
  change_scanner(result, random);
  return result;
}

Sample weak_augment(const Sample& sample, Random& random) {
  Sample result = copy_of(sample);
  flip_randomly(result, random);
  if (chance(random, 0.5)) rotate(result, random.uniform(-15, 15));
  if (chance(random, 0.5)) change_brightness_randomly(result, random);
  if (chance(random, 0.3)) blur(result);
  if (chance(random, 0.3)) add_random_noise(result, random);
  return result;
}

Sample strong_augment(const Sample& sample, Random& random) {
  Sample result = copy_of(sample);
  flip_randomly(result, random);
  if (chance(random, 0.7)) rotate(result, random.uniform(-45, 45));
  if (chance(random, 0.5)) displace_randomly(result, random);
  if (chance(random, 0.5)) {
    change_brightness(result, 1, random.uniform(-20, 20) / 255);
  }
  if (chance(random, 0.5)) drop_random_patches(result, random);
  return result;
}

}  // namespace sono
