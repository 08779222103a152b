#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "core/check.h"
#include "experiments/image_quality/feature_extractor.h"

namespace sono {
namespace {

constexpr int kGreyBins = 16;
constexpr int kPatternBins = 10;
constexpr int kSpectrumBins = 24;

// Square roots of the counts' shares: distances then weigh rare bins too.
void append_shares(const std::vector<double>& counts,
                   std::vector<float>& values) {
  double total = 0;
  for (const double c : counts) total += c;
  for (const double c : counts) {
    values.push_back(static_cast<float>(total > 0 ? std::sqrt(c / total) : 0));
  }
}

void append_greys(const cv::Mat& image, std::vector<float>& values) {
  std::vector<double> counts(kGreyBins, 0);
  for (int y = 0; y < image.rows; ++y) {
    for (int x = 0; x < image.cols; ++x) {
      ++counts[image.at<std::uint8_t>(y, x) * kGreyBins / 256];
    }
  }
  append_shares(counts, values);
}

// Ones in a ring of eight comparisons, or 9 when it changes more than twice.
int pattern(const cv::Mat& image, int y, int x, int distance) {
  constexpr std::array<std::array<int, 2>, 8> kRing = {
      {{0, 1}, {1, 1}, {1, 0}, {1, -1}, {0, -1}, {-1, -1}, {-1, 0}, {-1, 1}}};
  const int centre = image.at<std::uint8_t>(y, x);
  std::array<bool, 8> brighter{};
  int ones = 0, changes = 0;
  for (std::size_t k = 0; k < kRing.size(); ++k) {
    brighter[k] = image.at<std::uint8_t>(y + distance * kRing[k][0],
                                         x + distance * kRing[k][1]) >= centre;
    ones += brighter[k];
  }
  for (std::size_t k = 0; k < kRing.size(); ++k) {
    changes += brighter[k] != brighter[(k + 1) % kRing.size()];
  }
  return changes <= 2 ? ones : kPatternBins - 1;
}

void append_patterns(const cv::Mat& image, int distance,
                     std::vector<float>& values) {
  std::vector<double> counts(kPatternBins, 0);
  for (int y = distance; y < image.rows - distance; ++y) {
    for (int x = distance; x < image.cols - distance; ++x) {
      ++counts[static_cast<std::size_t>(pattern(image, y, x, distance))];
    }
  }
  append_shares(counts, values);
}

// Mean log power of rings of equal width, up to half a cycle a pixel.
void append_spectrum(const cv::Mat& image, std::vector<float>& values) {
  cv::Mat grey, spectrum;
  image.convertTo(grey, CV_32F, 1.0 / 255);
  cv::dft(grey - cv::mean(grey), spectrum, cv::DFT_COMPLEX_OUTPUT);
  std::vector<double> sums(kSpectrumBins, 0), counts(kSpectrumBins, 0);
  for (int v = 0; v < spectrum.rows; ++v) {
    for (int u = 0; u < spectrum.cols; ++u) {
      const double fy = std::min(v, spectrum.rows - v) / double(spectrum.rows);
      const double fx = std::min(u, spectrum.cols - u) / double(spectrum.cols);
      const int ring = static_cast<int>(std::hypot(fx, fy) * 2 * kSpectrumBins);
      if (ring >= kSpectrumBins || u + v == 0) continue;
      const auto c = spectrum.at<cv::Vec2f>(v, u);
      const double power = (double(c[0]) * c[0] + double(c[1]) * c[1]) /
                           static_cast<double>(image.total());
      sums[static_cast<std::size_t>(ring)] += std::log10(power + 1e-6);
      ++counts[static_cast<std::size_t>(ring)];
    }
  }
  for (std::size_t k = 0; k < sums.size(); ++k) {
    const double mean = counts[k] > 0 ? sums[k] / counts[k] : -6;
    values.push_back(static_cast<float>(mean / 6));
  }
}

class TextureExtractor : public FeatureExtractor {
 public:
  std::string name() const override { return "texture"; }
  std::string hash() const override { return "texture-1"; }
  at::Tensor features(const cv::Mat& image) override {
    SONO_CHECK(image.type() == CV_8UC1 && image.rows > 8 && image.cols > 8,
               image.cols << "x" << image.rows << " px");
    std::vector<float> values;
    append_greys(image, values);
    for (const int distance : {1, 2, 4}) {
      append_patterns(image, distance, values);
    }
    append_spectrum(image, values);
    return at::tensor(values);
  }
};

}  // namespace

std::unique_ptr<FeatureExtractor> texture_extractor() {
  return std::make_unique<TextureExtractor>();
}

}  // namespace sono
