#include "experiments/image_quality/memorization.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "core/option.h"
#include "experiments/statistics/percentile.h"

namespace sono {
namespace {

cv::Mat at_size(const cv::Mat& image, cv::Size size) {
  cv::Mat small = image;
  if (image.size() != size) {
    const bool shrinks = image.cols > size.width || image.rows > size.height;
    cv::resize(image, small, size, 0, 0,
               shrinks ? cv::INTER_AREA : cv::INTER_LINEAR);
  }
  cv::Mat grey;
  small.convertTo(grey, CV_32F);
  return grey;
}

cv::Mat moved(const cv::Mat& grey, double turn_deg, double zoom, bool flipped) {
  cv::Mat view = grey;
  if (flipped) cv::flip(grey, view, 1);
  if (turn_deg == 0 && zoom == 1) return view;
  const cv::Point2f centre((static_cast<float>(grey.cols) - 1) / 2,
                           (static_cast<float>(grey.rows) - 1) / 2);
  cv::Mat turned;
  cv::warpAffine(view, turned, cv::getRotationMatrix2D(centre, turn_deg, zoom),
                 grey.size(), cv::INTER_LINEAR, cv::BORDER_CONSTANT);
  return turned;
}

// Writes the image as a centred row of length 1; a flat image gives zeros,
// which are like nothing.
void write_row(const cv::Mat& grey, at::Tensor row) {
  const at::Tensor values = at::from_blob(
      grey.data, {static_cast<std::int64_t>(grey.total())}, at::kFloat);
  const at::Tensor centred = values - values.mean();
  const double length = centred.norm().item<double>();
  row.copy_(length > 0 ? centred / length : centred);
}

at::Tensor empty_rows(std::int64_t count, const MemorizationConfig& config) {
  return at::empty({count, config.size.area()}, at::kFloat);
}

double median_of(const std::vector<TrainingBank::Nearest>& found) {
  std::vector<double> distances;
  for (const auto& n : found) distances.push_back(n.distance);
  return percentile(distances, 0.5);
}

// Ties count half.
double probability_nearer(const std::vector<TrainingBank::Nearest>& a,
                          const std::vector<TrainingBank::Nearest>& b) {
  double wins = 0;
  for (const auto& x : a) {
    for (const auto& y : b) {
      wins += x.distance < y.distance ? 1 : x.distance == y.distance ? 0.5 : 0;
    }
  }
  return wins / (static_cast<double>(a.size()) * static_cast<double>(b.size()));
}

}  // namespace

void MemorizationConfig::validate() const {
  check_range("memorization.width", size.width, 8, 4096);
  check_range("memorization.height", size.height, 8, 4096);
  check_range("memorization.distance_quantile", distance_quantile, 0, 0.5);
  check_range("memorization.ratio_quantile", ratio_quantile, 0, 0.5);
}

TrainingBank::TrainingBank(const std::vector<cv::Mat>& images,
                           const MemorizationConfig& config)
    : config_(config), num_images_(static_cast<std::int64_t>(images.size())) {
  if (images.empty()) {
    throw DataError("a search for copies needs the training images");
  }
  const auto views = static_cast<std::int64_t>(
      config.turns_deg.size() * config.zooms.size() * (config.flip ? 2 : 1));
  views_ = empty_rows(num_images_ * views, config);
  std::int64_t row = 0;
  for (const cv::Mat& image : images) {
    const cv::Mat grey = at_size(image, config.size);
    for (const double turn : config.turns_deg) {
      for (const double zoom : config.zooms) {
        write_row(moved(grey, turn, zoom, false), views_[row++]);
        if (!config.flip) continue;
        write_row(moved(grey, turn, zoom, true), views_[row++]);
      }
    }
  }
}

std::vector<TrainingBank::Nearest> TrainingBank::nearest(
    const std::vector<cv::Mat>& images) const {
  constexpr std::size_t kImagesAtOnce = 256;
  std::vector<Nearest> found;
  for (std::size_t begin = 0; begin < images.size(); begin += kImagesAtOnce) {
    const std::size_t end = std::min(images.size(), begin + kImagesAtOnce);
    const auto count = static_cast<std::int64_t>(end - begin);
    at::Tensor rows = empty_rows(count, config_);
    for (std::size_t i = begin; i < end; ++i) {
      write_row(at_size(images[i], config_.size),
                rows[static_cast<std::int64_t>(i - begin)]);
    }
    // The best view of each training image, then the best two images.
    const at::Tensor likeness =
        rows.matmul(views_.t()).reshape({count, num_images_, -1}).amax(2);
    const auto [best, which] = likeness.topk(num_images_ > 1 ? 2 : 1, 1);
    const at::Tensor distances =
        (2 - 2 * best.to(at::kDouble)).clamp_min(0).sqrt();
    for (std::int64_t i = 0; i < count; ++i) {
      found.push_back({distances[i][0].item<double>(),
                       num_images_ > 1 ? distances[i][1].item<double>() : 0,
                       which[i][0].item<std::int64_t>()});
    }
  }
  return found;
}

CopyDetector::CopyDetector(const std::vector<cv::Mat>& training,
                           const std::vector<cv::Mat>& heldout,
                           const MemorizationConfig& config)
    : alone_(training.size() == 1), bank_(training, config) {
  config.validate();
  if (heldout.size() < 2) {
    throw DataError("a search for copies needs two held-out images at least");
  }
  reference_ = bank_.nearest(heldout);
  std::vector<double> distances, ratios;
  for (const auto& n : reference_) {
    distances.push_back(n.distance);
    ratios.push_back(n.ratio());
  }
  distance_limit_ = percentile(distances, config.distance_quantile);
  ratio_limit_ = percentile(ratios, config.ratio_quantile);
}

bool CopyDetector::is_copy(const TrainingBank::Nearest& found) const {
  return found.distance < distance_limit_ &&
         (alone_ || found.ratio() < ratio_limit_);
}

MemorizationReport search_copies(const std::vector<cv::Mat>& training,
                                 const std::vector<cv::Mat>& heldout,
                                 const std::vector<cv::Mat>& synthetic,
                                 const MemorizationConfig& config) {
  if (synthetic.empty()) {
    throw DataError("a search for copies needs one synthetic image at least");
  }
  const CopyDetector detector(training, heldout, config);
  const auto& reference = detector.reference();
  MemorizationReport report;
  report.synthetic = detector.nearest(synthetic);
  report.num_heldout = static_cast<int>(reference.size());
  report.distance_limit = detector.distance_limit();
  report.ratio_limit = detector.ratio_limit();
  for (const auto& n : report.synthetic) {
    report.flagged.push_back(detector.is_copy(n));
  }
  const auto count = static_cast<double>(report.flagged.size());
  report.flagged_fraction =
      static_cast<double>(
          std::count(report.flagged.begin(), report.flagged.end(), true)) /
      count;
  report.median_ratio = median_of(report.synthetic) / median_of(reference);
  report.nearer_probability = probability_nearer(report.synthetic, reference);
  return report;
}

}  // namespace sono
