#include "data/phantom/anatomy.h"

#include <algorithm>
#include <cmath>

#include "core/random.h"

namespace sono {
namespace {

// The cavum septi pellucidi is seen from about 17.5 weeks until near term.
constexpr double kCavumFromWeeks = 17.5;
constexpr double kCavumUntilWeeks = 37.5;

double draw_age_weeks(Random& random, const AgeMix& mix) {
  const double stratum = random.uniform();
  if (stratum < mix.first_share) return random.uniform(11.0, 13.99);
  if (stratum < mix.first_share + mix.third_share)
    return random.uniform(28.0, 40.0);
  // Most second-trimester exams are the anomaly scan at 18 to 22 weeks.
  if (random.uniform() < 0.75) {
    return std::clamp(20.3 + 1.1 * random.normal(), 17.0, 24.0);
  }
  return random.uniform(14.0, 27.99);
}

double draw_hc_mm(Random& random, double age_weeks) {
  const double deviate = std::clamp(random.normal(), -2.2, 2.2);
  return mean_head_circumference_mm(age_weeks) +
         deviate * sd_head_circumference_mm(age_weeks);
}

// 0 at `from` weeks, 1 at `to` weeks, linear between.
double growth(double age_weeks, double from, double to) {
  return std::clamp((age_weeks - from) / (to - from), 0.0, 1.0);
}

// First the plexus fills the hemispheres ("butterfly"); by mid-gestation it
// lies small in the atrium, behind the thalami.
void draw_ventricles(Random& random, HeadAnatomy& head) {
  const double shrink = growth(head.age_weeks, 12.5, 20);
  const double size = random.uniform(0.85, 1.15);
  auto& plexus = head.choroid_plexus;
  plexus.u = -0.10 - 0.36 * shrink + random.uniform(-0.04, 0.04);
  plexus.v = 0.38 + random.uniform(-0.03, 0.05);
  plexus.semi_u = size * (0.46 - 0.28 * shrink);
  plexus.semi_v = size * (0.21 - 0.10 * shrink);
  plexus.strength =
      random.uniform(0.7, 1.5) * (1 - 0.5 * growth(head.age_weeks, 22, 34));
  auto& ventricle = head.ventricle;
  ventricle.u = plexus.u + 0.02;
  ventricle.v = plexus.v + 0.04;
  ventricle.semi_u = plexus.semi_u + 0.16;
  ventricle.semi_v =
      plexus.semi_v + 0.09 - 0.03 * growth(head.age_weeks, 20, 36);
  ventricle.strength = random.uniform(0.35, 0.9);  // of its walls
}

}  // namespace

double mean_head_circumference_mm(double age_weeks) {
  const double square = age_weeks * age_weeks;
  return -28.2849 + 1.69267 * square - 0.397485 * square * std::log(age_weeks);
}

double sd_head_circumference_mm(double age_weeks) {
  const double cube = age_weeks * age_weeks * age_weeks;
  const double log_age = std::log(age_weeks);
  return 1.98735 + 0.0136772 * cube - 0.00726264 * cube * log_age +
         0.000976253 * cube * log_age * log_age;
}

int trimester_of(double age_weeks) {
  return age_weeks < 14 ? 1 : age_weeks < 28 ? 2 : 3;
}

HeadAnatomy draw_anatomy(std::uint64_t seed, std::uint64_t exam,
                         const AgeMix& mix) {
  Random random(make_key("phantom.anatomy", seed, exam));
  HeadAnatomy head;
  head.age_weeks = draw_age_weeks(random, mix);
  head.trimester = trimester_of(head.age_weeks);
  head.hc_mm = draw_hc_mm(random, head.age_weeks);
  head.axis_ratio = std::clamp(0.80 + 0.05 * random.normal(), 0.69, 0.92);
  head.skull_thickness = random.uniform(0.070, 0.110);
  head.ossification = 0.15 + 0.75 * growth(head.age_weeks, 11, 34);
  head.has_cavum =
      head.age_weeks >= kCavumFromWeeks && head.age_weeks < kCavumUntilWeeks;
  head.cavum_u = random.uniform(0.40, 0.52);
  head.midline_bend = random.uniform(-0.03, 0.03);
  head.brain_strength = random.uniform(0.05, 0.20) *
                        (1 + 0.8 * (1 - growth(head.age_weeks, 11, 15)));
  head.gyri_strength = 0.12 + 0.45 * growth(head.age_weeks, 24, 36);
  head.insula_strength =
      random.uniform(0.3, 1.0) * growth(head.age_weeks, 15, 20);
  draw_ventricles(random, head);
  head.thalamus = {random.uniform(-0.06, 0.04), random.uniform(0.12, 0.15),
                   random.uniform(0.19, 0.24), random.uniform(0.10, 0.13),
                   growth(head.age_weeks, 12, 17)};
  return head;
}

}  // namespace sono
