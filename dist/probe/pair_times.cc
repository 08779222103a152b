#include "dist/probe/pair_times.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <set>

namespace sono {
namespace {

constexpr int kLatencyRounds = 12;
constexpr int kBandwidthRounds = 4;
constexpr double kSlowBandwidth = 0.5;  // of the median
constexpr double kSlowLatency = 4;      // times the median
constexpr std::size_t kFewestPairs = 3;

// One exchange of `mine` for `theirs` between two ranks; the others pass.
void swap(Communicator& comm, int first, int second, const at::Tensor& mine,
          const at::Tensor& theirs) {
  const int n = comm.world_size();
  std::vector<at::Tensor> send(n), receive(n);
  const int rank = comm.rank();
  if (rank == first || rank == second) {
    const int peer = rank == first ? second : first;
    send[peer] = mine;
    receive[peer] = theirs;
  }
  comm.exchange(send, receive, "pair probe");
}

// The best of several: what the link can do, whatever else runs meanwhile.
double best_seconds(Communicator& comm, int first, int second,
                    std::int64_t bytes, int rounds) {
  const auto options =
      at::TensorOptions().dtype(at::kByte).device(comm.device_type());
  const at::Tensor mine = at::zeros({bytes}, options);
  const at::Tensor theirs = at::zeros({bytes}, options);
  comm.barrier();
  double best = std::numeric_limits<double>::max();
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    swap(comm, first, second, mine, theirs);
    best = std::min(best, std::chrono::duration<double>(
                              std::chrono::steady_clock::now() - start)
                              .count());
  }
  return best;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void append_slow(const std::vector<PairTime>& pairs, bool local,
                 std::vector<PairTime>& slow) {
  std::vector<double> latencies, bandwidths;
  for (const PairTime& pair : pairs) {
    if (pair.local != local) continue;
    latencies.push_back(pair.latency);
    bandwidths.push_back(pair.bandwidth);
  }
  if (latencies.size() < kFewestPairs) return;
  const double latency = median(latencies);
  const double bandwidth = median(bandwidths);
  for (const PairTime& pair : pairs) {
    if (pair.local != local) continue;
    if (pair.bandwidth < kSlowBandwidth * bandwidth ||
        pair.latency > kSlowLatency * latency) {
      slow.push_back(pair);
    }
  }
}

}  // namespace

std::vector<PairTime> time_pairs(Communicator& comm,
                                 const std::vector<int>& ranks,
                                 const std::vector<std::string>& hosts,
                                 std::int64_t bytes) {
  std::vector<PairTime> pairs;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    for (std::size_t k = i + 1; k < ranks.size(); ++k) {
      PairTime pair{ranks[i], ranks[k], hosts[ranks[i]] == hosts[ranks[k]]};
      const double quick =
          best_seconds(comm, pair.first, pair.second, 1, kLatencyRounds);
      const double large =
          best_seconds(comm, pair.first, pair.second, bytes, kBandwidthRounds);
      // The first of the two tells everybody.
      at::Tensor times =
          at::tensor({quick, large}, at::kDouble).to(comm.device_type());
      comm.broadcast(times, pair.first);
      const at::Tensor host = times.to(at::kCPU);
      pair.latency = host[0].item<double>();
      pair.bandwidth = static_cast<double>(bytes) / host[1].item<double>();
      pairs.push_back(pair);
    }
  }
  return pairs;
}

std::vector<int> ranks_to_pair(const std::vector<std::string>& hosts,
                               std::size_t most) {
  std::vector<int> ranks;
  std::set<std::string> seen;
  for (std::size_t r = 0; r < hosts.size() && ranks.size() < most; ++r) {
    if (hosts.size() > most && !seen.insert(hosts[r]).second) continue;
    ranks.push_back(static_cast<int>(r));
  }
  return ranks;
}

std::vector<PairTime> slow_pairs(const std::vector<PairTime>& pairs) {
  std::vector<PairTime> slow;
  append_slow(pairs, true, slow);
  append_slow(pairs, false, slow);
  return slow;
}

}  // namespace sono
