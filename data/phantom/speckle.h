#pragma once
// Fully developed speckle: the envelope of random scatterers seen through a
// point-spread function, on the scanner's own grid (depth by scan line).

#include <opencv2/core.hpp>

#include "core/random.h"

namespace sono {

// Standard deviations of the Gaussian point-spread function, in samples.
struct PointSpread {
  double axial = 1.0;
  // Across the beam, at the first row, at the focus and at the last row.
  double lateral_near = 2.0;
  double lateral_focus = 1.5;
  double lateral_far = 2.2;
  double focus = 0.45;  // row of the focus as a share of the depth
};

// A smooth random field, CV_32FC1 [rows, cols], about standard normal, with
// `cells_down` by `cells_across` independent values.
cv::Mat smooth_noise(Random& random, cv::Size size, int cells_down,
                     int cells_across);

// The echo envelope, CV_32FC1 [depth, lines]. `scatter` and `mirror` are
// CV_32FC1 amplitudes of the same size. Where scatter is uniform and mirror 0
// the result is Rayleigh distributed with E[envelope^2] = 2 scatter^2.
cv::Mat speckle_envelope(const cv::Mat& scatter, const cv::Mat& mirror,
                         const PointSpread& spread, Random& random);

}  // namespace sono
