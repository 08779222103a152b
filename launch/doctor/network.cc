#include "launch/doctor/network.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/disk_space.h"

namespace sono {
namespace {

constexpr double kSecondsASize = 0.15;
constexpr std::size_t kMostPaired = 24;  // 276 pairs: some seconds
constexpr std::int64_t kPairBytes = 4 << 20;
constexpr double kClockSkew = 2;  // seconds

std::vector<std::int64_t> sizes_up_to(std::int64_t largest) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t bytes = 64; bytes < largest; bytes *= 8) {
    sizes.push_back(bytes);
  }
  sizes.push_back(largest);
  return sizes;
}

// The first 2, 4, 8, ... ranks alone, then all of them.
std::vector<LinkModel> measure_links(Communicator& comm,
                                     const std::vector<AllReduceTime>& all,
                                     std::int64_t largest) {
  std::vector<LinkModel> links;
  for (int n = 2; n < comm.world_size(); n *= 2) {
    const bool member = comm.rank() < n;
    const auto group = comm.split(member ? 0 : 1);
    std::vector<AllReduceTime> times;
    if (member) times = time_all_reduce(*group, sizes_up_to(largest), 0.05);
    comm.barrier();
    LinkModel link{n};
    if (member) link = fit_link(times);
    at::Tensor shared =
        at::tensor({link.alpha, link.beta}, at::kDouble).to(comm.device_type());
    comm.broadcast(shared);
    const at::Tensor host = shared.to(at::kCPU);
    links.push_back({n, host[0].item<double>(), host[1].item<double>()});
  }
  links.push_back(fit_link(all));
  return links;
}

std::string pair_name(const PairTime& pair,
                      const std::vector<std::string>& hosts) {
  return "rank " + std::to_string(pair.first) + " on " + hosts[pair.first] +
         " and rank " + std::to_string(pair.second) + " on " +
         hosts[pair.second];
}

std::string rate_text(double bytes_a_second) {
  return bytes_text(bytes_a_second) + "/s";
}

void judge_pairs(const NetworkFacts& facts,
                 const std::vector<std::string>& hosts, Findings& findings) {
  const auto slow = slow_pairs(facts.pairs);
  for (const PairTime& pair : slow) {
    char latency[48];
    std::snprintf(latency, sizeof(latency), ", latency %.0f us",
                  pair.latency * 1e6);
    findings.warn("network",
                  "slow link between " + pair_name(pair, hosts) + ": " +
                      rate_text(pair.bandwidth) + latency,
                  "leave the host that all slow links share out, or look at "
                  "its cable, switch port and interface (mpirun --mca "
                  "btl_tcp_if_include)");
  }
  if (!slow.empty() || facts.pairs.empty()) return;
  const auto [low, high] = std::minmax_element(
      facts.pairs.begin(), facts.pairs.end(),
      [](const auto& a, const auto& b) { return a.bandwidth < b.bandwidth; });
  findings.fine(
      "network",
      "no slow link among " + std::to_string(facts.pairs.size()) +
          (facts.all_pairs ? " pairs of ranks: " : " pairs of hosts: ") +
          rate_text(low->bandwidth) + " to " + rate_text(high->bandwidth));
}

void judge_clocks(const NetworkFacts& facts,
                  const std::vector<std::string>& hosts, Findings& findings) {
  double most = 0, within = 0;
  for (std::size_t r = 0; r < facts.clocks.size(); ++r) {
    const ClockOffset& clock = facts.clocks[r];
    most = std::max(most, std::abs(clock.seconds));
    within = std::max(within, clock.within);
    if (std::abs(clock.seconds) < kClockSkew + clock.within) continue;
    char text[96];
    std::snprintf(text, sizeof(text), " is %.1f s %s that of ",
                  std::abs(clock.seconds),
                  clock.seconds > 0 ? "ahead of" : "behind");
    findings.warn("clocks", "the clock of " + hosts[r] + text + hosts[0],
                  "run chrony or ntpd there; results do not depend on "
                  "clocks, times in logs do");
  }
  if (most >= kClockSkew) return;
  char text[96];
  std::snprintf(text, sizeof(text),
                "at most %.2f ms apart, measured to %.2f ms", most * 1e3,
                within * 1e3);
  findings.fine("clocks", text);
}

}  // namespace

NetworkFacts measure_network(Communicator& comm,
                             const std::vector<std::string>& hosts,
                             std::int64_t largest) {
  NetworkFacts facts;
  if (comm.world_size() == 1) return facts;
  facts.all_reduce = time_all_reduce(comm, sizes_up_to(largest), kSecondsASize);
  facts.links = measure_links(comm, facts.all_reduce, largest);
  facts.all_pairs = hosts.size() <= kMostPaired;
  facts.pairs =
      time_pairs(comm, ranks_to_pair(hosts, kMostPaired), hosts, kPairBytes);
  facts.clocks = clock_offsets(comm);
  return facts;
}

void judge_network(const NetworkFacts& facts,
                   const std::vector<std::string>& hosts, bool crowded,
                   Findings& findings) {
  if (facts.all_reduce.empty()) {
    return findings.note("network",
                         "a single rank: start doctor under mpirun or srun to "
                         "measure links");
  }
  for (const AllReduceTime& time : facts.all_reduce) {
    if (time.correct) continue;
    return findings.fail("network",
                         "wrong sums in an all-reduce of " +
                             std::to_string(time.bytes) + " bytes",
                         "leave out hosts one by one to find the one with bad "
                         "memory or network; results would be wrong",
                         4);
  }
  const AllReduceTime& largest = facts.all_reduce.back();
  findings.fine("network", "all-reduce among " + std::to_string(largest.ranks) +
                               " ranks: sums right, busbw " +
                               rate_text(bus_bandwidth(largest)) + " at " +
                               bytes_text(static_cast<double>(largest.bytes)));
  if (crowded) {
    findings.note("network", "ranks share cores: pairs of them are not judged");
  } else {
    judge_pairs(facts, hosts, findings);
  }
  judge_clocks(facts, hosts, findings);
}

std::string bandwidth_table(const NetworkFacts& facts) {
  std::string table =
      "            size (B)    time (us)   algbw (GB/s)   busbw (GB/s)\n";
  for (const AllReduceTime& time : facts.all_reduce) {
    char line[128];
    std::snprintf(line, sizeof(line), "        %12lld %12.1f %14.3f %14.3f\n",
                  static_cast<long long>(time.bytes), time.seconds * 1e6,
                  algorithm_bandwidth(time) / 1e9, bus_bandwidth(time) / 1e9);
    table += line;
  }
  return table;
}

nlohmann::json to_json(const NetworkFacts& facts) {
  nlohmann::json json = {{"all_reduce", nlohmann::json::array()},
                         {"links", nlohmann::json::array()},
                         {"pairs", nlohmann::json::array()},
                         {"clocks", nlohmann::json::array()}};
  for (const AllReduceTime& time : facts.all_reduce) {
    json["all_reduce"].push_back({{"ranks", time.ranks},
                                  {"bytes", time.bytes},
                                  {"seconds", time.seconds},
                                  {"algbw", algorithm_bandwidth(time)},
                                  {"busbw", bus_bandwidth(time)},
                                  {"correct", time.correct}});
  }
  for (const LinkModel& link : facts.links) {
    json["links"].push_back({{"ranks", link.ranks},
                             {"alpha_seconds", link.alpha},
                             {"beta_seconds_a_byte", link.beta}});
  }
  for (const PairTime& pair : facts.pairs) {
    json["pairs"].push_back({{"first", pair.first},
                             {"second", pair.second},
                             {"one_host", pair.local},
                             {"latency_seconds", pair.latency},
                             {"bytes_a_second", pair.bandwidth}});
  }
  for (const ClockOffset& clock : facts.clocks) {
    json["clocks"].push_back(
        {{"ahead_seconds", clock.seconds}, {"within_seconds", clock.within}});
  }
  return json;
}

}  // namespace sono
