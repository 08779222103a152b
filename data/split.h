#pragma once
// Who is trained on and who is tested: whole exams (whole patients where these
// are known) on one side each, by keyed hash, independent of the file order.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/cohort.h"

namespace sono {

struct Split {
  std::vector<std::size_t> train;  // indices into the cohort, ascending
  std::vector<std::size_t> test;
};

// The unit that may not be on both sides: the patient, else the exam.
const std::string& split_group(const SampleInfo& info);

// Puts round(test_fraction * groups) groups into the test half, at least one
// where the fraction is above 0. test_fraction in [0, 1), else ConfigError; a
// cohort of one group cannot be split and is a DataError.
Split split_by_exam(const Cohort& cohort, double test_fraction,
                    std::uint64_t seed);

// `count` of the `train` images; the first k of them are nested_subset(k), so
// N = 5 lies inside N = 20. Every group gives one image before any gives a
// second. ConfigError when train has fewer than `count` or count < 1.
std::vector<std::size_t> nested_subset(const Cohort& cohort,
                                       const std::vector<std::size_t>& train,
                                       int count, std::uint64_t seed);

}  // namespace sono
