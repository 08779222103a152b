#pragma once
// Which rank runs which lanes.

#include <vector>

namespace sono {

class LaneSplit {
 public:
  // `strided`: rank r of N runs lanes r, r + N, r + 2N, ...; otherwise a block
  // of neighbours, so that whole subtrees fall to one rank.
  LaneSplit(int num_lanes, int world_size, bool strided)
      : num_lanes_(num_lanes), world_size_(world_size), strided_(strided) {}

  int num_lanes() const { return num_lanes_; }
  // Ascending; none for ranks beyond the last lane.
  std::vector<int> lanes_of(int rank) const;
  // The most lanes that any rank runs.
  int rounds() const { return (num_lanes_ + world_size_ - 1) / world_size_; }

 private:
  int num_lanes_;
  int world_size_;
  bool strided_;
};

}  // namespace sono
