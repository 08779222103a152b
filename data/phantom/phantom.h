#pragma once
// Fetal-head ultrasound phantoms with exact labels: a physical sketch
// (scatterers and mirrors through a point-spread function, attenuation, log
// compression, scan conversion) fast enough to make a cohort in a minute.
//
// Image `index` of a config is a pure function of both; nothing else enters.

#include <cstdint>
#include <opencv2/core.hpp>
#include <string>

#include "core/option.h"
#include "data/ellipse.h"
#include "data/phantom/anatomy.h"

namespace sono {

// Part of every key of a result that holds phantoms: goes up when a phantom's
// pixels change.
inline constexpr int kPhantomVersion = 1;

struct PhantomConfig {
  std::uint64_t seed = 1;
  // "curved": a console; "portable": a hand-held phased array. A cohort of the
  // other style is a domain shift.
  std::string style = "curved";
  // Frame in px. HC18's is 800x540; a smaller frame shows the same scene with
  // larger pixels, and costs less than in proportion.
  int width = 800;
  int height = 540;
  AgeMix ages;

  // ConfigError naming the option.
  void validate() const;
};

// Adds the options phantom.style, phantom.width, ...
void describe(OptionTable& table, PhantomConfig& config);

struct Phantom {
  cv::Mat image;    // CV_8UC1 [height, width]
  cv::Mat mask;     // CV_8UC1 [height, width], 255 in the head, else 0
  Ellipse ellipse;  // outer edge of the skull
  double pixel_size_mm = 0;
  double hc_mm = 0;  // circumference of `ellipse` times the pixel size
  double gestational_age_weeks = 0;
  int trimester = 0;  // 1, 2, 3
};

// Every seventh image is a second view of the exam before it, about as often
// as in HC18: same anatomy, another plane, placement and setting.
struct PhantomId {
  std::uint64_t exam = 0;
  int view = 1;  // 1 or 2
};
PhantomId phantom_id(std::uint64_t index);

// The config must be valid.
Phantom make_phantom(const PhantomConfig& config, std::uint64_t index);

// The same without the pixels (`image` and `mask` are empty), at no cost.
Phantom describe_phantom(const PhantomConfig& config, std::uint64_t index);

}  // namespace sono
