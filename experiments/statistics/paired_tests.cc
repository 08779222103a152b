#include "experiments/statistics/paired_tests.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/random.h"
#include "experiments/statistics/intervals.h"
#include "experiments/statistics/student.h"

namespace sono {
namespace {

// Sums of the differences under all patterns of signs, doubled for each.
std::vector<double> all_sign_sums(std::span<const double> differences) {
  std::vector<double> sums{0.0};
  sums.reserve(std::size_t{1} << differences.size());
  for (double difference : differences) {
    const std::size_t count = sums.size();
    for (std::size_t i = 0; i < count; ++i) {
      sums.push_back(sums[i] - difference);
      sums[i] += difference;
    }
  }
  return sums;
}

// One sum a resample; every word of random bits holds 64 signs.
std::vector<double> random_sign_sums(std::span<const double> differences,
                                     const SignFlipOptions& options) {
  Random random(make_key("statistics.sign_flip", options.seed));
  std::vector<double> sums(options.num_resamples);
  for (double& sum : sums) {
    std::uint64_t signs = 0;
    for (std::size_t i = 0; i < differences.size(); ++i) {
      if (i % 64 == 0) signs = random.bits64();
      sum += signs & 1 ? differences[i] : -differences[i];
      signs >>= 1;
    }
  }
  return sums;
}

}  // namespace

PairedTest paired_t_test(std::span<const double> differences) {
  const double mean = mean_of(differences);
  const double sd = deviation_of(differences);
  const double n = static_cast<double>(differences.size());
  PairedTest test{0, 1, "Student's t"};
  if (mean == 0 || n < 2) return test;
  test.statistic = mean / (sd / std::sqrt(n));
  test.p = sd == 0 ? 0 : 2 * student_cdf(-std::abs(test.statistic), n - 1);
  return test;
}

double permutation_p(double observed, std::span<const double> resamples,
                     bool includes_observed) {
  SONO_CHECK(!resamples.empty(), "a permutation test without resamples");
  // Sums of the same numbers in another order differ by their rounding.
  const double near = std::abs(1e-14 * observed);
  const auto count = [&](auto in_tail) {
    return static_cast<double>(std::ranges::count_if(resamples, in_tail));
  };
  const double least =
      std::min(count([&](double r) { return r <= observed + near; }),
               count([&](double r) { return r >= observed - near; }));
  const double more = includes_observed ? 0 : 1;
  const double total = static_cast<double>(resamples.size()) + more;
  return std::min(1.0, 2 * (least + more) / total);
}

PairedTest sign_flip_test(std::span<const double> differences,
                          const SignFlipOptions& options) {
  const double mean = mean_of(differences);
  const double n = static_cast<double>(differences.size());
  const bool exact = n <= options.max_exact;
  std::vector<double> sums = exact ? all_sign_sums(differences)
                                   : random_sign_sums(differences, options);
  for (double& sum : sums) sum /= n;
  return {mean, permutation_p(mean, sums, exact),
          exact ? "exact" : "Monte Carlo"};
}

}  // namespace sono
