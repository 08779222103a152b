#pragma once
// How fast each pair of ranks talks, and which pairs are slower than their
// like.

#include <string>
#include <vector>

#include "dist/communicator.h"

namespace sono {

struct PairTime {
  int first = 0;
  int second = 0;        // above first
  bool local = false;    // both on one host
  double latency = 0;    // seconds; half a round trip of a byte
  double bandwidth = 0;  // bytes a second, each way, both ways at once
};

// Every pair of `ranks` in turn, the others idle: about 5 ms and 16 messages of
// `bytes` a pair. hosts[r] is rank r's host. The same list on all ranks. All
// ranks of `comm` must call.
std::vector<PairTime> time_pairs(Communicator& comm,
                                 const std::vector<int>& ranks,
                                 const std::vector<std::string>& hosts,
                                 std::int64_t bytes);

// The ranks whose pairs are worth timing: all up to `most`; else the first of
// each host, up to `most` of them.
std::vector<int> ranks_to_pair(const std::vector<std::string>& hosts,
                               std::size_t most);

// Pairs with less than half the median bandwidth of the pairs of their kind (on
// one host, between hosts), or four times their median latency. A kind with
// fewer than three pairs has no median to stand out from.
std::vector<PairTime> slow_pairs(const std::vector<PairTime>& pairs);

}  // namespace sono
