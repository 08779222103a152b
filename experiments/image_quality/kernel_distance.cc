#include <algorithm>
#include <cmath>
#include <map>

#include "core/check.h"
#include "core/random.h"
#include "experiments/image_quality/distribution_distance.h"
#include "experiments/image_quality/feature_check.h"
#include "experiments/statistics/student.h"

namespace sono {
namespace {

at::Tensor kernel(const at::Tensor& a, const at::Tensor& b) {
  const auto width = static_cast<double>(a.size(1));
  return (a.matmul(b.t()) / width + 1).pow(3);
}

at::Tensor without_diagonal(at::Tensor square) {
  square.fill_diagonal_(0);
  return square;
}

double distance(double sum_xx, double sum_yy, double sum_xy, double n,
                double m) {
  return sum_xx / (n * (n - 1)) + sum_yy / (m * (m - 1)) - 2 * sum_xy / (n * m);
}

double total(const at::Tensor& values) { return values.sum().item<double>(); }

// Leaves out the images `rows` of one set, whose own sums are `within` and
// `across`; the other set's total is `other`.
struct LeaveOut {
  const at::Tensor& features;
  const at::Tensor& within;
  const at::Tensor& across;
  double other_within;
  double other_count;

  double distance_without(const std::vector<std::int64_t>& rows) const {
    const at::Tensor out = at::tensor(rows);
    const at::Tensor own = features.index_select(0, out);
    const double among = total(without_diagonal(kernel(own, own)));
    const double left = static_cast<double>(features.size(0)) -
                        static_cast<double>(rows.size());
    const double sum_within =
        total(within) - 2 * total(within.index_select(0, out)) + among;
    const double sum_across =
        total(across) - total(across.index_select(0, out));
    return distance(sum_within, other_within, sum_across, left, other_count);
  }
};

// Variance of a jackknife's pseudo-values, (g - 1) / g of their squares' sum.
double jackknife_variance(const std::vector<double>& values) {
  const auto g = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (const double v : values) mean += v / g;
  for (const double v : values) squares += (v - mean) * (v - mean);
  return squares * (g - 1) / g;
}

std::vector<std::vector<std::int64_t>> groups_of(
    const std::vector<std::string>& exams) {
  std::map<std::string, std::vector<std::int64_t>> by_exam;
  for (std::size_t i = 0; i < exams.size(); ++i) {
    by_exam[exams[i]].push_back(static_cast<std::int64_t>(i));
  }
  std::vector<std::vector<std::int64_t>> groups;
  for (auto& [exam, rows] : by_exam) groups.push_back(std::move(rows));
  return groups;
}

std::vector<double> leave_out_each(
    const LeaveOut& set, const std::vector<std::vector<std::int64_t>>& groups) {
  std::vector<double> values;
  for (const auto& rows : groups) {
    values.push_back(set.distance_without(rows));
  }
  return values;
}

}  // namespace

double kernel_distance(const at::Tensor& real, const at::Tensor& synthetic) {
  const auto [x, y] = checked_features(real, synthetic, 2);
  return distance(total(without_diagonal(kernel(x, x))),
                  total(without_diagonal(kernel(y, y))), total(kernel(x, y)),
                  static_cast<double>(x.size(0)),
                  static_cast<double>(y.size(0)));
}

SubsetDistance kernel_distance_of_subsets(
    const at::Tensor& real, const at::Tensor& synthetic,
    const std::vector<SubsetPair>& pairs) {
  SONO_CHECK(!pairs.empty(), "no subsets");
  std::vector<double> values;
  for (const auto& [x, y] : pairs) {
    values.push_back(
        kernel_distance(real.index_select(0, x), synthetic.index_select(0, y)));
  }
  SubsetDistance result;
  const auto n = static_cast<double>(values.size());
  for (const double v : values) result.mean += v / n;
  double squares = 0;
  for (const double v : values) {
    squares += (v - result.mean) * (v - result.mean);
  }
  result.deviation = n > 1 ? std::sqrt(squares / (n - 1)) : 0;
  return result;
}

std::vector<SubsetPair> draw_subsets(std::int64_t num_real,
                                     std::int64_t num_synthetic,
                                     std::int64_t size, int count,
                                     std::uint64_t seed) {
  SONO_CHECK(
      size >= 2 && size <= std::min(num_real, num_synthetic),
      "subsets of " << size << " of " << num_real << " and " << num_synthetic);
  const auto draw = [&](const char* which, std::int64_t of, int subset) {
    const RandomKey key =
        make_key(which, seed, static_cast<std::uint64_t>(subset));
    std::vector<std::int64_t> rows;
    for (std::int64_t i = 0; i < size; ++i) {
      rows.push_back(static_cast<std::int64_t>(permuted_index(
          static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(of), key)));
    }
    return at::tensor(rows);
  };
  std::vector<SubsetPair> pairs;
  for (int i = 0; i < count; ++i) {
    pairs.emplace_back(draw("quality.real", num_real, i),
                       draw("quality.synthetic", num_synthetic, i));
  }
  return pairs;
}

KernelEstimate kernel_distance_interval(
    const at::Tensor& real, const std::vector<std::string>& real_exams,
    const at::Tensor& synthetic) {
  const auto [x, y] = checked_features(real, synthetic, 3);
  SONO_CHECK_EQ(static_cast<std::int64_t>(real_exams.size()), x.size(0));
  const auto exams = groups_of(real_exams);
  if (exams.size() < 3) {
    throw DataError("an interval of the kernel distance needs real images of " +
                    std::string("three exams or more, not ") +
                    std::to_string(exams.size()));
  }
  const at::Tensor k_xy = kernel(x, y);
  const at::Tensor within_x = without_diagonal(kernel(x, x)).sum(1);
  const at::Tensor within_y = without_diagonal(kernel(y, y)).sum(1);
  const at::Tensor across_x = k_xy.sum(1), across_y = k_xy.sum(0);
  const auto n = static_cast<double>(x.size(0));
  const auto m = static_cast<double>(y.size(0));
  std::vector<std::vector<std::int64_t>> singles;
  for (std::int64_t i = 0; i < y.size(0); ++i) singles.push_back({i});
  const auto without_exam =
      leave_out_each({x, within_x, across_x, total(within_y), m}, exams);
  const auto without_image =
      leave_out_each({y, within_y, across_y, total(within_x), n}, singles);
  const double error = std::sqrt(jackknife_variance(without_exam) +
                                 jackknife_variance(without_image));
  const auto fewest =
      static_cast<double>(std::min(exams.size(), singles.size()));
  const double reach = student_quantile(0.975, fewest - 1) * error;
  const double value =
      distance(total(within_x), total(within_y), total(k_xy), n, m);
  return {value, value - reach, value + reach};
}

}  // namespace sono
