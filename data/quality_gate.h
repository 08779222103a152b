#pragma once
// Decides which generated pairs are good enough to train on. Two questions:
// is the outline one head (an ellipse, closed, of a head's size and shape, in
// the frame)? And is the skull where the label says: is the image brighter
// along the ellipse than just inside and just outside it?

#include <opencv2/core.hpp>
#include <string>

#include "core/option.h"

namespace sono {

// The limits were set on the 279 real HC18 pairs at 128x88: 97.5 % pass, and
// 3.6 % with the mask of another head (a test holds both on every third).
struct GateConfig {
  // Least part of the ellipse's directions in which the outline is met, 0..1.
  double min_closure = 0.9;
  // Largest root mean square distance of the outline from its ellipse, as a
  // part of the ellipse's mean radius.
  double max_residual = 0.06;
  // Ellipse's area as a part of the frame's.
  double min_area = 0.03;
  double max_area = 0.7;
  // Least semi-minor / semi-major axis; real heads have 0.67 and more.
  double min_axis_ratio = 0.62;
  // Least part of the ellipse's perimeter inside the frame.
  double min_in_frame = 0.9;
  // Least part of the ellipse's directions in which it runs along a bright
  // ridge: at least 3 grey levels of 255 above the mean of just inside and just
  // outside.
  double min_skull = 0.5;
  // Least height of that ridge in its own standard errors over 24 sectors. In
  // noise half the directions look like a ridge; their mean does not.
  double min_skull_significance = 2.5;

  void validate() const;
};

// Registers "gate.*".
void describe(OptionTable& table, GateConfig& config);

struct GateVerdict {
  bool accepted = false;
  std::string reason;  // "accepted", or the first test that failed, with values
  double closure = 0;
  double residual_px = 0;
  double area_fraction = 0;
  double axis_ratio = 0;
  double in_frame = 0;
  double skull_fraction = 0;      // see GateConfig::min_skull
  double skull_contrast = 0;      // mean height of the ridge, grey levels
  double skull_significance = 0;  // see GateConfig
};

// Judges an image and its filled mask, both CV_8UC1 [H, W] of one size.
GateVerdict judge_pair(const cv::Mat& image, const cv::Mat& mask,
                       const GateConfig& config);

// Judges an image and a generated outline (CV_8UC1 [H, W], bright on dark). An
// ellipse is fitted to the bright pixels of the outline; on acceptance
// `filled_mask` gets it filled, CV_8UC1, 0 or 255.
GateVerdict judge_outline(const cv::Mat& image, const cv::Mat& outline,
                          const GateConfig& config, cv::Mat* filled_mask);

}  // namespace sono
