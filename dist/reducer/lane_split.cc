#include "dist/reducer/lane_split.h"

#include "dist/communicator.h"

namespace sono {

std::vector<int> LaneSplit::lanes_of(int rank) const {
  std::vector<int> lanes;
  if (strided_) {
    for (int k = rank; k < num_lanes_; k += world_size_) lanes.push_back(k);
    return lanes;
  }
  const auto first = split_point(num_lanes_, world_size_, rank);
  const auto last = split_point(num_lanes_, world_size_, rank + 1);
  for (auto k = first; k < last; ++k) lanes.push_back(static_cast<int>(k));
  return lanes;
}

}  // namespace sono
