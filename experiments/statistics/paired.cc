#include "experiments/statistics/paired.h"

#include <map>
#include <tuple>

#include "core/check.h"

namespace sono {
namespace {

using Key = std::tuple<std::string, std::string, std::string>;

std::map<Key, double> index(std::span<const Observation> observations) {
  std::map<Key, double> values;
  for (const Observation& o : observations) {
    const bool is_new =
        values.emplace(Key(o.cluster, o.seed, o.image), o.value).second;
    SONO_CHECK(is_new,
               "two observations of image " << o.image << ", seed " << o.seed);
  }
  return values;
}

}  // namespace

PairedObservations pair_observations(std::span<const Observation> treatment,
                                     std::span<const Observation> control) {
  const auto treated = index(treatment), controls = index(control);
  PairedObservations pairs;
  for (const auto& [key, value] : treated) {
    const auto partner = controls.find(key);
    if (partner == controls.end()) continue;
    const auto& [cluster, seed, image] = key;
    pairs.differences.push_back(
        {cluster, seed, image, value - partner->second});
  }
  pairs.num_unpaired = static_cast<int>(treated.size() + controls.size() -
                                        2 * pairs.differences.size());
  return pairs;
}

}  // namespace sono
