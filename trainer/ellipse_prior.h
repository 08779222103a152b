#pragma once
// Which head outlines are drawn as conditions of the generator: a Gaussian over
// place, size, shape and angle, fitted to the outlines of the training masks.

#include <array>
#include <opencv2/core.hpp>
#include <vector>

#include "core/random.h"
#include "data/ellipse.h"

namespace sono {

class EllipsePrior {
 public:
  // `ellipses` stand in a frame of `size` px. Few ellipses give a covariance
  // of low rank, so a jitter is added to it: 2 % of the frame in place, 5 % in
  // size and shape, 5 degrees. DataError when there are none.
  EllipsePrior(const std::vector<Ellipse>& ellipses, cv::Size size);

  // An ellipse whole inside a frame of `size` px, one pixel from its edge. A
  // draw that sticks out is repeated; after 100 the last is moved and shrunk.
  Ellipse sample(cv::Size size, Random& random) const;

 private:
  static constexpr int kDimensions = 5;
  // Centre x and y over width and height, log(semi-major over width), log(axis
  // ratio), angle from the mean angle.
  using Point = std::array<double, kDimensions>;

  Point describe(const Ellipse& ellipse, cv::Size size) const;
  Ellipse draw(cv::Size size, Random& random) const;

  double mean_angle_ = 0;
  Point mean_{};
  // Lower-triangular Cholesky factor of the covariance.
  std::array<Point, kDimensions> factor_{};
};

}  // namespace sono
