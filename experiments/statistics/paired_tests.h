#pragma once
// Two-sided tests of paired differences being centred at zero. The differences
// must be independent of one another: give means of clusters, not of images.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sono {

struct PairedTest {
  double statistic = 0;
  double p = 1;
  std::string method;
};

// Student's t on the mean; p = 1 for one difference or when all are zero, 0
// when all are equal and not zero. Statistic: t.
PairedTest paired_t_test(std::span<const double> differences);

// Wilcoxon's signed-rank test; zeros are left out, ties share their mean rank
// (scipy.stats.wilcoxon with its defaults). "exact" without zeros and ties up
// to 50 differences, "exact permutation" with them up to 13, else "normal
// approximation" without continuity correction. p = 1 when all are zero.
// Statistic: the lesser of the two rank sums.
PairedTest signed_rank_test(std::span<const double> differences);

struct SignFlipOptions {
  int max_exact = 18;          // differences; 2^n sign patterns
  int num_resamples = 99'999;  // beyond that
  std::uint64_t seed = 0;
};

// The permutation test of a mean difference: every difference is equally likely
// to have either sign. "exact" or "Monte Carlo"; the latter counts the data as
// one more pattern, so p is never 0 (Phipson and Smyth 2010). Statistic: the
// mean.
PairedTest sign_flip_test(std::span<const double> differences,
                          const SignFlipOptions& options = {});

// Two-sided p of an observed statistic among those of resamples under the null
// hypothesis, as scipy.stats.permutation_test counts: twice the smaller tail,
// values within rounding of the observed one belonging to both.
// `includes_observed`: whether the resamples are all patterns there are.
double permutation_p(double observed, std::span<const double> resamples,
                     bool includes_observed);

}  // namespace sono
