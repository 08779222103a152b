#include <algorithm>
#include <cmath>
#include <numeric>

#include "experiments/statistics/normal.h"
#include "experiments/statistics/paired_tests.h"

namespace sono {
namespace {

constexpr std::size_t kMostExact = 50, kMostPermuted = 13;

struct SignedRanks {
  std::vector<double> rank;  // of the absolute differences, zeros left out
  std::vector<bool> positive;
  double tie_term = 0;  // sum of t^3 - t over groups of t ties
  bool has_zeros = false;

  double sum(bool of_positive) const {
    double total = 0;
    for (std::size_t i = 0; i < rank.size(); ++i) {
      if (positive[i] == of_positive) total += rank[i];
    }
    return total;
  }
};

SignedRanks rank_differences(std::span<const double> differences) {
  std::vector<double> ordered(differences.begin(), differences.end());
  std::erase(ordered, 0.0);
  std::ranges::sort(ordered, {}, [](double d) { return std::abs(d); });
  SignedRanks ranks;
  ranks.has_zeros = ordered.size() < differences.size();
  for (std::size_t begin = 0; begin < ordered.size();) {
    std::size_t end = begin;
    while (end < ordered.size() &&
           std::abs(ordered[end]) == std::abs(ordered[begin])) {
      ++end;
    }
    const double ties = static_cast<double>(end - begin);
    ranks.tie_term += ties * ties * ties - ties;
    const double mean_rank = static_cast<double>(begin + end + 1) / 2;
    for (; begin < end; ++begin) {
      ranks.rank.push_back(mean_rank);
      ranks.positive.push_back(ordered[begin] > 0);
    }
  }
  return ranks;
}

// Twice the probability that the ranks 1..n with signs at random sum to
// `least` or less.
double exact_p(std::size_t n, double least) {
  const std::size_t size = n * (n + 1) / 2 + 1;
  std::vector<double> probability(size);
  probability[0] = 1;
  for (std::size_t rank = 1; rank <= n; ++rank) {
    for (std::size_t sum = size; sum-- > 0;) {
      const double without = probability[sum];
      const double with = sum >= rank ? probability[sum - rank] : 0;
      probability[sum] = (without + with) / 2;
    }
  }
  const auto end = probability.begin() + static_cast<std::ptrdiff_t>(least) + 1;
  return std::min(1.0, 2 * std::accumulate(probability.begin(), end, 0.0));
}

// The sum of positive ranks over all patterns of signs. The signs of zeros
// change nothing, so leaving them out leaves the proportions as they are.
double permuted_p(const SignedRanks& ranks) {
  std::vector<double> sums{0.0};
  for (double rank : ranks.rank) {
    const std::size_t count = sums.size();
    for (std::size_t i = 0; i < count; ++i) sums.push_back(sums[i] + rank);
  }
  return permutation_p(ranks.sum(true), sums, true);
}

double approximate_p(const SignedRanks& ranks) {
  const double n = static_cast<double>(ranks.rank.size());
  const double mean = n * (n + 1) / 4;
  const double variance = (n * (n + 1) * (2 * n + 1) - ranks.tie_term / 2) / 24;
  const double z = (ranks.sum(true) - mean) / std::sqrt(variance);
  return 2 * normal_cdf(-std::abs(z));
}

}  // namespace

PairedTest signed_rank_test(std::span<const double> differences) {
  const SignedRanks ranks = rank_differences(differences);
  if (ranks.rank.empty()) return {0, 1, "exact"};
  const double least = std::min(ranks.sum(true), ranks.sum(false));
  const bool plain = ranks.tie_term == 0 && !ranks.has_zeros;
  if (plain && differences.size() <= kMostExact) {
    return {least, exact_p(ranks.rank.size(), least), "exact"};
  }
  if (!plain && differences.size() <= kMostPermuted) {
    return {least, permuted_p(ranks), "exact permutation"};
  }
  return {least, approximate_p(ranks), "normal approximation"};
}

}  // namespace sono
