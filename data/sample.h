#pragma once
// One ultrasound image with what is known about it.

#include <opencv2/core.hpp>
#include <string>

namespace sono {

// What is known of an image without opening it.
struct SampleInfo {
  std::string id;       // file stem, unique in its cohort
  std::string exam;     // the unit of splitting and of clustered statistics
  std::string patient;  // empty when unknown
  // Pixel size on the native grid, mm per px; 0 when unknown.
  double spacing_x_mm = 0;
  double spacing_y_mm = 0;
  double hc_reference_mm = 0;  // head circumference from the csv; 0 unknown
  int trimester = 0;           // 1, 2, 3; 0 when unknown
};

struct Sample : SampleInfo {
  cv::Mat image;  // CV_8UC1 [H, W], native grid
  cv::Mat mask;   // CV_8UC1 [H, W], 0 or 255, filled; empty() without label
  // The gap of an outline that was not closed, where an ellipse stands in for
  // it; else 0.
  double open_gap_px = 0;
};

}  // namespace sono
