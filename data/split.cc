#include "data/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

#include "core/error.h"
#include "core/hash.h"
#include "core/random.h"

namespace sono {
namespace {

// 64 random bits that depend on the name, the seed and the purpose alone.
std::uint64_t keyed_bits(std::string_view purpose, std::uint64_t seed,
                         const std::string& name) {
  const Sha256Digest digest = sha256(name);
  std::uint64_t number = 0;
  for (int i = 0; i < 8; ++i) number = number << 8 | digest[i];
  return Random(make_key(purpose, seed, number)).bits64();
}

}  // namespace

const std::string& split_group(const SampleInfo& info) {
  return info.patient.empty() ? info.exam : info.patient;
}

Split split_by_exam(const Cohort& cohort, double test_fraction,
                    std::uint64_t seed) {
  if (!(test_fraction >= 0 && test_fraction < 1)) {
    throw ConfigError("test fraction " + std::to_string(test_fraction) +
                      " is outside 0..1 (1 excluded)");
  }
  std::set<std::pair<std::uint64_t, std::string>> groups;
  for (std::size_t i = 0; i < cohort.size(); ++i) {
    const std::string& group = split_group(cohort.info(i));
    groups.emplace(keyed_bits("data.split", seed, group), group);
  }
  const auto num_groups = static_cast<long>(groups.size());
  long num_test = std::lround(test_fraction * static_cast<double>(num_groups));
  if (test_fraction > 0) {
    if (num_groups < 2) {
      throw DataError("cohort " + cohort.name() + " has " +
                      std::to_string(num_groups) +
                      " exams: too few to split into train and test");
    }
    num_test = std::clamp(num_test, 1L, num_groups - 1);
  }
  std::set<std::string> tested;
  for (const auto& [bits, group] : groups) {
    if (static_cast<long>(tested.size()) == num_test) break;
    tested.insert(group);
  }
  Split split;
  for (std::size_t i = 0; i < cohort.size(); ++i) {
    const bool test = tested.count(split_group(cohort.info(i))) > 0;
    (test ? split.test : split.train).push_back(i);
  }
  return split;
}

std::vector<std::size_t> nested_subset(const Cohort& cohort,
                                       const std::vector<std::size_t>& train,
                                       int count, std::uint64_t seed) {
  if (count < 1 || static_cast<std::size_t>(count) > train.size()) {
    throw ConfigError("a subset of " + std::to_string(count) + " images of " +
                      std::to_string(train.size()) + " training images of " +
                      cohort.name() + " is impossible");
  }
  // A random order of all images, then turns of one image a group.
  std::vector<std::tuple<std::uint64_t, std::string, std::size_t>> order;
  for (std::size_t index : train) {
    const std::string& id = cohort.info(index).id;
    order.emplace_back(keyed_bits("data.subset", seed, id), id, index);
  }
  std::sort(order.begin(), order.end());
  std::map<std::string, int> taken;
  std::vector<std::pair<int, std::size_t>> turns;  // (turn, index)
  for (const auto& [bits, id, index] : order) {
    turns.emplace_back(taken[split_group(cohort.info(index))]++, index);
  }
  std::stable_sort(
      turns.begin(), turns.end(),
      [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::size_t> subset;
  for (int i = 0; i < count; ++i) subset.push_back(turns[i].second);
  return subset;
}

}  // namespace sono
