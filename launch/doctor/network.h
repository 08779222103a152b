#pragma once
// How the ranks talk: sums, bandwidth by size, slow pairs, clocks.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dist/communicator.h"
#include "dist/probe/clock_offsets.h"
#include "dist/probe/link_model.h"
#include "dist/probe/pair_times.h"
#include "launch/doctor/findings.h"

namespace sono {

struct NetworkFacts {
  std::vector<AllReduceTime> all_reduce;  // of all ranks, by size
  std::vector<LinkModel> links;           // of 2, 4, ... and all ranks, rising
  std::vector<PairTime> pairs;
  bool all_pairs = true;  // or the first rank of each host only
  std::vector<ClockOffset> clocks;
};

// All-reduces up to `largest` bytes. Nothing for a single rank. The same on all
// ranks; all must call.
NetworkFacts measure_network(Communicator& comm,
                             const std::vector<std::string>& hosts,
                             std::int64_t largest);

// `crowded`: ranks share cores, so that a pair is slow whenever one of them has
// to wait for its core, and none is called slow.
void judge_network(const NetworkFacts& facts,
                   const std::vector<std::string>& hosts, bool crowded,
                   Findings& findings);

// The table as nccl-tests prints it: size, time, algbw, busbw.
std::string bandwidth_table(const NetworkFacts& facts);
nlohmann::json to_json(const NetworkFacts& facts);

}  // namespace sono
