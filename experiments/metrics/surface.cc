#include "experiments/metrics/surface.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/check.h"
#include "experiments/metrics/outline.h"
#include "experiments/metrics/overlap.h"
#include "experiments/statistics/percentile.h"

namespace sono {
namespace {

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double weighted_sum(const DirectedDistances& set) {
  return std::inner_product(set.distance.begin(), set.distance.end(),
                            set.weight.begin(), 0.0);
}

// The least distance that 95 % of the outline's length do not exceed.
double length_percentile(const DirectedDistances& set) {
  const double total = sum(set.weight);
  double passed = 0;
  for (std::size_t i = 0; i < set.weight.size(); ++i) {
    passed += set.weight[i];
    if (passed / total >= 0.95) return set.distance[i];
  }
  return set.distance.back();
}

double length_within(const DirectedDistances& set, double tolerance) {
  const auto end = std::ranges::upper_bound(set.distance, tolerance);
  return std::accumulate(
      set.weight.begin(),
      set.weight.begin() + std::distance(set.distance.begin(), end), 0.0);
}

std::vector<double> pooled(const DirectedDistances& a,
                           const DirectedDistances& b) {
  std::vector<double> all = a.distance;
  all.insert(all.end(), b.distance.begin(), b.distance.end());
  return all;
}

// By distance, then by weight, so that equal distances add in one order.
DirectedDistances sorted(const std::vector<double>& distances,
                         const std::vector<double>& weights) {
  std::vector<std::pair<double, double>> both(distances.size());
  for (std::size_t i = 0; i < both.size(); ++i) {
    both[i] = {distances[i], weights[i]};
  }
  std::ranges::sort(both);
  DirectedDistances set;
  for (const auto& [distance, weight] : both) {
    set.distance.push_back(distance);
    set.weight.push_back(weight);
  }
  return set;
}

Outline outline_of(const cv::Mat& mask, PixelSpacing spacing,
                   SurfaceConvention convention) {
  return convention == SurfaceConvention::kDeepMind
             ? corner_contour(mask, spacing)
             : edge_pixels(mask);
}

}  // namespace

const std::vector<std::string>& surface_convention_names() {
  static const std::vector<std::string> kNames = {"monai", "medpy", "deepmind"};
  return kNames;
}

SurfaceConvention surface_convention(std::string_view name) {
  const auto& names = surface_convention_names();
  const auto found = std::ranges::find(names, name);
  SONO_CHECK(found != names.end(), "no surface convention " << name);
  return static_cast<SurfaceConvention>(found - names.begin());
}

SurfaceDistances::SurfaceDistances(SurfaceConvention convention,
                                   DirectedDistances prediction,
                                   DirectedDistances reference)
    : convention_(convention),
      prediction_(std::move(prediction)),
      reference_(std::move(reference)) {
  SONO_CHECK(!prediction_.distance.empty() && !reference_.distance.empty(),
             "distances of an empty outline");
}

double SurfaceDistances::hd() const {
  return std::max(prediction_.distance.back(), reference_.distance.back());
}

double SurfaceDistances::hd95() const {
  if (convention_ == SurfaceConvention::kDeepMind) {
    return std::max(length_percentile(prediction_),
                    length_percentile(reference_));
  }
  if (convention_ == SurfaceConvention::kMedpy) {
    std::vector<double> all = pooled(prediction_, reference_);
    return percentile(all, 0.95);
  }
  std::vector<double> forth = prediction_.distance, back = reference_.distance;
  return std::max(percentile(forth, 0.95), percentile(back, 0.95));
}

double SurfaceDistances::assd() const {
  if (convention_ == SurfaceConvention::kDeepMind) {
    return (weighted_sum(prediction_) / sum(prediction_.weight) +
            weighted_sum(reference_) / sum(reference_.weight)) /
           2;
  }
  return (sum(prediction_.distance) + sum(reference_.distance)) /
         static_cast<double>(prediction_.distance.size() +
                             reference_.distance.size());
}

double SurfaceDistances::nsd(double tolerance) const {
  return (length_within(prediction_, tolerance) +
          length_within(reference_, tolerance)) /
         (sum(prediction_.weight) + sum(reference_.weight));
}

std::optional<SurfaceDistances> measure_surface(const cv::Mat& prediction,
                                                const cv::Mat& reference,
                                                PixelSpacing spacing,
                                                SurfaceConvention convention) {
  check_mask_pair(prediction, reference);
  const Outline p = outline_of(prediction, spacing, convention);
  const Outline r = outline_of(reference, spacing, convention);
  if (p.points.empty() || r.points.empty()) return std::nullopt;
  return SurfaceDistances(convention,
                          sorted(nearest_distances(p, r, spacing), p.weights),
                          sorted(nearest_distances(r, p, spacing), r.weights));
}

}  // namespace sono
