#pragma once
// Ultrasound machines: the sector they see, how sharply, and how they turn echo
// amplitude into grey. Lengths are px of the 800x540 reference frame.

#include <opencv2/core.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"

namespace sono {

inline constexpr int kReferenceWidth = 800;
inline constexpr int kReferenceHeight = 540;

struct Interval {
  double low = 0;
  double high = 0;
  double draw(Random& random) const { return random.uniform(low, high); }
};

// What makes one machine's images look alike: each exam draws from these.
struct ScannerStyle {
  std::string name;
  Interval apex_depth;   // of the sector's apex above the frame's top
  Interval surface;      // y of the transducer's face on the axis
  Interval depth;        // y of the deepest echo on the axis
  Interval half_angle;   // rad
  Interval axial_psf;    // standard deviations of the point-spread function
  Interval lateral_psf;  // at the focus
  Interval smoothing;    // speckle reduction, samples of the polar grid
  Interval top_db;       // amplitude that is shown white, tissue is 0 dB
  Interval range_db;     // from black to white
  Interval gamma;
  Interval noise_db;    // electronic noise at the deepest row
  Interval clutter_db;  // reverberation under the near skull
  Interval head_share;  // circumference over frame width, second trimester on
  Interval early_head_share;  // the same in the first trimester
  Interval tilt;              // rad, of the midline from horizontal
  double off_centre = 0;      // spread of the head's centre, share of the frame
  double full_frame_share =
      0;  // exams magnified until the sector fills the frame
  bool has_grey_bar = false;
};

// "curved" and "portable".
const std::vector<std::string>& scanner_style_names();
// The style of that name; a fault of ours when unknown.
const ScannerStyle& scanner_style(std::string_view name);

// A fan of scan lines; a large apex_depth makes it nearly a linear array.
struct Sector {
  double apex_x = 0;
  double apex_y = 0;
  double near_radius = 0;
  double far_radius = 0;
  double half_angle = 0;
  bool contains(double x, double y) const;
};

// One setting of a machine, as a sonographer leaves it for an exam.
struct ScannerSetting {
  Sector sector;
  double axial_psf = 0;
  double lateral_psf = 0;
  double smoothing = 0;
  double top_db = 0;
  double range_db = 0;
  double gamma = 0;
  double noise = 0;    // amplitude
  double clutter = 0;  // amplitude
  bool has_grey_bar = false;
};

ScannerSetting draw_setting(const ScannerStyle& style, Random& random);

// Log compression: CV_32FC1 amplitude to CV_8UC1 grey of the same size.
cv::Mat compress(const cv::Mat& envelope, const ScannerSetting& setting);

// CV_8UC1 [depth, lines] to a frame of `size` whose pixel is 1 / scale
// reference px, both frames sharing their centre; black outside the sector.
cv::Mat scan_convert(const cv::Mat& polar, const Sector& sector, cv::Size size,
                     double scale);

}  // namespace sono
