#include "data/phantom/phantom.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "data/phantom/scanner.h"
#include "data/phantom/scene.h"
#include "data/phantom/speckle.h"
#include "data/phantom/view.h"

namespace sono {
namespace {

constexpr int kImagesPerBlock = 7;

// Scan lines and depths that resolve the point-spread function at this scale.
cv::Size polar_size(double scale) {
  const double share = std::clamp(1.1 * scale, 0.3, 2.5);
  return {static_cast<int>(std::lround(256 * share)),
          static_cast<int>(std::lround(400 * share))};
}

PointSpread point_spread(const ScannerSetting& setting, cv::Size grid) {
  const Sector& sector = setting.sector;
  const double rows_per_px =
      grid.height / (sector.far_radius - sector.near_radius);
  const double lines_per_rad = grid.width / (2 * sector.half_angle);
  const double focus = 0.45;
  const double radius =
      sector.near_radius + focus * (sector.far_radius - sector.near_radius);
  const double lateral =
      std::max(0.6, setting.lateral_psf / radius * lines_per_rad);
  PointSpread spread;
  spread.axial = std::max(0.55, setting.axial_psf * rows_per_px);
  spread.lateral_focus = lateral;
  spread.lateral_near = 1.5 * lateral;
  spread.lateral_far = 1.35 * lateral;
  spread.focus = focus;
  return spread;
}

// Rib, bowel gas or poor contact: scan lines that are dark from some depth on.
struct ShadowBand {
  double line = 0;
  double width = 1;
  double strength = 0;
};

// Amplitude with which each scan line starts: bands of poor contact, and the
// aperture that is cut at the sector's edges.
std::vector<float> line_gains(int lines, Random& random) {
  std::vector<float> gains(static_cast<std::size_t>(lines), 1.0F);
  std::vector<ShadowBand> bands(random.below(3));
  for (auto& band : bands) {
    band.line =
        random.uniform() < 0.6 ? random.uniform(0, 0.25) : random.uniform();
    if (random.uniform() < 0.5) band.line = 1 - band.line;
    band.width = random.uniform(0.03, 0.11);
    band.strength = random.uniform(0.3, 0.9);
  }
  for (int line = 0; line < lines; ++line) {
    const double at = (line + 0.5) / lines;
    double gain = 0.45 + 0.55 * std::min(1.0, 12 * std::min(at, 1 - at));
    for (const auto& band : bands) {
      const double t = (at - band.line) / band.width;
      gain *= 1 - band.strength * std::exp(-0.5 * t * t);
    }
    gains[static_cast<std::size_t>(line)] = static_cast<float>(gain);
  }
  return gains;
}

struct NoiseFields {
  cv::Mat form, coarse, fine, streak;
  NoiseFields(cv::Size size, Random& random)
      : form(smooth_noise(random, size, 5, 5)),
        coarse(smooth_noise(random, size, 9, 8)),
        fine(smooth_noise(random, size, 36, 22)),
        streak(smooth_noise(random, size, 90, 20)) {}
  Texture at(int row, int line) const {
    return {form.at<float>(row, line), coarse.at<float>(row, line),
            fine.at<float>(row, line), streak.at<float>(row, line)};
  }
};

// What a scan line has met on its way down.
struct LineState {
  float transmission = 1;
  float clutter = 0;
};

struct EchoMaps {
  cv::Mat scatter, mirror;  // CV_32FC1 [depth, lines]
};

std::vector<cv::Point2f> beam_directions(const Sector& sector, int lines) {
  std::vector<cv::Point2f> beams;
  for (int line = 0; line < lines; ++line) {
    const double angle = sector.half_angle * (2.0 * line / (lines - 1) - 1);
    beams.emplace_back(std::sin(angle), std::cos(angle));
  }
  return beams;
}

// Carries the line's state over one echo, `px` long.
void advance(LineState& state, const Echo& echo, float inside, float px) {
  // The near skull rings: a veil that fades over the near hemisphere.
  const bool bone = inside > 0 && echo.transmission < 0;
  if (bone)
    state.clutter = std::min(1.0F, state.clutter + 0.01F * px * echo.mirror);
  state.clutter *= 1 - 0.011F * px;
  state.transmission = std::clamp(
      state.transmission * (1 + px * echo.transmission), 0.01F, 1.8F);
}

// Walks all scan lines down together, row by row of equal depth.
EchoMaps trace_lines(const Scene& scene, const ScannerSetting& setting,
                     cv::Size grid, Random& random) {
  const Sector& sector = setting.sector;
  const cv::Point2f apex(cv::Point2d(sector.apex_x, sector.apex_y));
  const NoiseFields fields(grid, random);
  std::vector<LineState> states;
  for (float gain : line_gains(grid.width, random)) states.push_back({gain, 0});
  const std::vector<cv::Point2f> beams = beam_directions(sector, grid.width);
  EchoMaps maps{cv::Mat(grid, CV_32FC1), cv::Mat(grid, CV_32FC1)};
  const auto px = static_cast<float>((sector.far_radius - sector.near_radius) /
                                     (grid.height - 1));
  const auto veil = static_cast<float>(setting.clutter);
  for (int row = 0; row < grid.height; ++row) {
    const float depth = static_cast<float>(row) * px;
    const float radius = static_cast<float>(sector.near_radius) + depth;
    const auto noise = static_cast<float>(setting.noise * row / grid.height);
    float* scatter = maps.scatter.ptr<float>(row);
    float* mirror = maps.mirror.ptr<float>(row);
    for (int line = 0; line < grid.width; ++line) {
      const cv::Point2f beam = beams[line];
      LineState& state = states[line];
      const BeamPoint point{apex.x + radius * beam.x, apex.y + radius * beam.y,
                            beam.x, beam.y, depth};
      float inside = 0;
      const Echo echo = scene.at(point, fields.at(row, line), inside);
      scatter[line] =
          echo.scatter * state.transmission + noise + veil * state.clutter;
      mirror[line] = echo.mirror * state.transmission;
      advance(state, echo, inside, px);
    }
  }
  return maps;
}

// HC18's machines show the grey scale at the left edge.
void draw_grey_bar(cv::Mat& image, double scale) {
  const int width = static_cast<int>(std::lround(9 * scale));
  const int top = static_cast<int>(std::lround(24 * scale));
  const int length = static_cast<int>(std::lround(142 * scale));
  for (int row = 0; row < length && top + row < image.rows; ++row) {
    const auto grey = static_cast<std::uint8_t>(255 - 255 * row / length);
    image.row(top + row).colRange(0, std::min(width, image.cols)).setTo(grey);
  }
}

cv::Mat render(const Scene& scene, const ScannerSetting& setting, cv::Size size,
               double scale, Random& random) {
  // A small frame is made larger and averaged, as a viewer would shrink it.
  const int oversampling = scale < 0.25 ? 3 : scale < 0.6 ? 2 : 1;
  const double fine_scale = scale * oversampling;
  const cv::Size grid = polar_size(fine_scale);
  const EchoMaps maps = trace_lines(scene, setting, grid, random);
  const cv::Mat envelope = speckle_envelope(
      maps.scatter, maps.mirror, point_spread(setting, grid), random);
  cv::Mat grey = compress(envelope, setting);
  const double smoothing =
      std::max(0.3, setting.smoothing * grid.height / 440.0);
  cv::GaussianBlur(grey, grey, cv::Size(), smoothing, smoothing);
  cv::Mat image =
      scan_convert(grey, setting.sector, size * oversampling, fine_scale);
  if (oversampling > 1) {
    cv::Mat small;
    cv::resize(image, small, size, 0, 0, cv::INTER_AREA);
    image = small;
  }
  if (setting.has_grey_bar) draw_grey_bar(image, scale);
  return image;
}

// From the reference frame to one of `size`, centres joined.
Ellipse to_frame(const Ellipse& reference, cv::Size size, double scale) {
  Ellipse out = scaled(reference, scale, scale);
  out.center_x = (reference.center_x - (kReferenceWidth - 1) / 2.0) * scale +
                 (size.width - 1) / 2.0;
  out.center_y = (reference.center_y - (kReferenceHeight - 1) / 2.0) * scale +
                 (size.height - 1) / 2.0;
  return out;
}

// What is drawn before the first pixel.
struct Exam {
  HeadAnatomy head;
  Random random;
  ScannerSetting setting;
  HeadView view;
};

Exam draw_exam(const PhantomConfig& config, std::uint64_t index) {
  const PhantomId id = phantom_id(index);
  const ScannerStyle& style = scanner_style(config.style);
  Exam exam{draw_anatomy(config.seed, id.exam, config.ages),
            Random(make_key("phantom.view." + style.name, config.seed, index)),
            {},
            {}};
  exam.setting = draw_setting(style, exam.random);
  exam.view =
      draw_head_view(exam.head, style, exam.setting.sector, exam.random);
  return exam;
}

// px of the output a reference px.
double frame_scale(const PhantomConfig& config) {
  return std::min(config.width / static_cast<double>(kReferenceWidth),
                  config.height / static_cast<double>(kReferenceHeight));
}

Phantom truth_of(const Exam& exam, const PhantomConfig& config) {
  const double scale = frame_scale(config);
  Phantom phantom;
  phantom.ellipse =
      to_frame(exam.view.outline, cv::Size(config.width, config.height), scale);
  phantom.pixel_size_mm = exam.view.pixel_size_mm / scale;
  phantom.hc_mm = exam.view.hc_mm;
  phantom.gestational_age_weeks = exam.head.age_weeks;
  phantom.trimester = exam.head.trimester;
  return phantom;
}

}  // namespace

void PhantomConfig::validate() const {
  check_choice("phantom.style", style, scanner_style_names());
  check_range("phantom.width", width, 32, 4096);
  check_range("phantom.height", height, 32, 4096);
  check_range("phantom.first_trimester", ages.first_share, 0, 1);
  check_range("phantom.third_trimester", ages.third_share, 0,
              1 - ages.first_share);
}

void describe(OptionTable& table, PhantomConfig& config) {
  using enum OptionKind;
  table.add("phantom.seed", &config.seed, kResult,
            "seed of the phantom cohort");
  table.add("phantom.style", &config.style, kResult,
            "scanner: curved (console) or portable (hand-held)");
  table.add("phantom.width", &config.width, kResult,
            "frame width in px, 32..4096");
  table.add("phantom.height", &config.height, kResult,
            "frame height in px, 32..4096");
  table.add("phantom.first_trimester", &config.ages.first_share, kResult,
            "share of exams in the first trimester, 0..1");
  table.add(
      "phantom.third_trimester", &config.ages.third_share, kResult,
      "share of exams in the third trimester, 0..1; the second has the rest");
}

PhantomId phantom_id(std::uint64_t index) {
  const std::uint64_t block = index / kImagesPerBlock,
                      place = index % kImagesPerBlock;
  const bool second = place == kImagesPerBlock - 1;
  return {block * (kImagesPerBlock - 1) + place - (second ? 1 : 0),
          second ? 2 : 1};
}

Phantom make_phantom(const PhantomConfig& config, std::uint64_t index) {
  Exam exam = draw_exam(config, index);
  const Scene scene(exam.head, exam.view, exam.random);
  const cv::Size size(config.width, config.height);
  Phantom phantom = truth_of(exam, config);
  phantom.image =
      render(scene, exam.setting, size, frame_scale(config), exam.random);
  phantom.mask = render_filled(phantom.ellipse, size);
  return phantom;
}

Phantom describe_phantom(const PhantomConfig& config, std::uint64_t index) {
  return truth_of(draw_exam(config, index), config);
}

}  // namespace sono
