#pragma once
// A fetal head of some age: its size from published growth curves and the
// structures that a transthalamic plane shows at that age.

#include <cstdint>

namespace sono {

// Share of exams in each trimester; the second has the rest. HC18's own shares
// (van den Heuvel et al. 2018, 999 training images) are 0.17, 0.69, 0.14.
struct AgeMix {
  double first_share = 0.17;
  double third_share = 0.14;
};

// A spot in head coordinates: u along the midline (front is positive), v
// across it, both 1 at the skull. Placed at (u, v) and mirrored to (u, -v).
struct PairedStructure {
  double u = 0;
  double v = 0;
  double semi_u = 0;
  double semi_v = 0;
  double strength = 0;  // echo amplitude, 1 is plain soft tissue
};

struct HeadAnatomy {
  double age_weeks = 0;
  int trimester = 0;      // 1, 2, 3
  double hc_mm = 0;       // circumference of the skull's outer edge
  double axis_ratio = 0;  // minor over major axis (cephalic index)
  // Of the semi-minor axis.
  double skull_thickness = 0;
  // 0 soft .. 1 fully mineralised: how much the skull reflects and shadows.
  double ossification = 0;
  bool has_cavum = false;  // cavum septi pellucidi
  double cavum_u = 0;      // its centre on the midline
  double midline_bend = 0;
  double brain_strength = 0;  // echo amplitude of the brain, 1 is soft tissue
  double gyri_strength = 0;   // sulci near the skull, grow with age
  double insula_strength = 0;
  PairedStructure choroid_plexus;
  PairedStructure ventricle;
  PairedStructure thalamus;
};

// Mean and standard deviation of the head circumference in mm at an age of
// 11..40 weeks (INTERGROWTH-21st, Papageorghiou et al., Lancet 2014).
double mean_head_circumference_mm(double age_weeks);
double sd_head_circumference_mm(double age_weeks);

// 1 below 14 weeks, 3 from 28 weeks, else 2.
int trimester_of(double age_weeks);

// The head of exam `exam`: a pure function of its arguments.
HeadAnatomy draw_anatomy(std::uint64_t seed, std::uint64_t exam,
                         const AgeMix& mix);

}  // namespace sono
