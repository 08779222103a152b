#include "trainer/step_model.h"

#include <algorithm>
#include <cstdio>

#include "dist/bucket_plan.h"
#include "dist/memory_plan.h"
#include "dist/reducer/lane_split.h"
#include "dist/reducer/subtree_reducer.h"

namespace sono {
namespace {

// Samples and lanes of the busiest rank, samples of the busiest host.
struct Share {
  double samples = 0, host_samples = 0;
  int lanes = 0;
};

Share share_of(const TrainConfig& config, const StepWorld& world) {
  const LaneSplit split(config.lanes, world.ranks, config.dist.zero_stage >= 2);
  Share share;
  double host = 0;
  for (int r = 0; r < world.ranks; ++r) {
    if (r % world.ranks_a_host == 0) host = 0;
    double samples = 0;
    const auto lanes = split.lanes_of(r);
    for (const int lane : lanes) {
      samples += static_cast<double>(
          split_point(config.batch_size, config.lanes, lane + 1) -
          split_point(config.batch_size, config.lanes, lane));
    }
    host += samples;
    share.samples = std::max(share.samples, samples);
    share.host_samples = std::max(share.host_samples, host);
    share.lanes = std::max(share.lanes, static_cast<int>(lanes.size()));
  }
  return share;
}

// Work of the busiest rank, or of its host where ranks share cores.
double on_cores(double of_rank, double of_host, double cores) {
  return std::max(of_rank, of_host / cores);
}

struct Traffic {
  double early = 0;  // seconds; may hide behind backward
  double late = 0;
};

// What is sent in a step; see docs/distribution.md.
Traffic traffic_of(const StepCost& cost, const TrainConfig& config,
                   const LinkModel& link, const StepWorld& world, int lanes) {
  const BucketPlan plan(cost.layout, config.dist.bucket_options(), world.ranks);
  const ReducerOptions reducer = config.dist.reducer_options(config.lanes);
  const int stage = config.dist.zero_stage;
  // Whole gradients sent a step, and exchanges a bucket.
  const int rounds = stage >= 2 ? lanes : num_subtrees(reducer, world.ranks);
  const double element = reducer.bf16_wire ? 2 : 4;
  Traffic traffic;
  double last = 0;
  for (const Bucket& bucket : plan.buckets()) {
    const auto elements = static_cast<double>(bucket.range.size());
    double seconds = rounds * link.exchange_seconds(element * elements);
    if (stage == 0) seconds += link.exchange_seconds(element * elements);
    traffic.early += seconds;
    last = seconds;
    const double gather = link.exchange_seconds(4 * elements);
    if (stage == 1 || stage == 2) traffic.late += gather;
    // Fetched in forward and again in backward of each round.
    if (stage == 3) traffic.late += 2 * rounds * gather;
  }
  // Nothing of the last bucket is ready before backward ends; then come the
  // step's status and, where sharded, the norm.
  traffic.early -= last;
  traffic.late += last + (stage == 0 ? 1 : 2) * link.exchange_seconds(0);
  return traffic;
}

ArenaOptions arena_of(const TrainConfig& config, int ranks) {
  ArenaOptions options = config.arena_options();
  options.world_size = ranks;
  return options;
}

std::int64_t memory_of(const StepCost& cost, const TrainConfig& config,
                       int ranks) {
  const MemoryPlan plan =
      predict_memory(cost.layout, arena_of(config, ranks),
                     config.dist.reducer_options(config.lanes), cost.blocks);
  // A save's slab holds the rank's share of weights, moments and average.
  const std::int64_t files = config.optimizer == "sgd" ? 2 : 3;
  const std::int64_t slab =
      cost.layout.size() * 4 * (files + (config.ema_decay > 0)) / ranks;
  return cost.base_bytes + cost.activation_bytes + plan.model_state() +
         plan.lane_buffers + plan.gathered + slab;
}

}  // namespace

StepForecast forecast_step(const StepCost& cost, const TrainConfig& config,
                           const std::vector<LinkModel>& links,
                           const StepWorld& world) {
  StepForecast forecast{world.ranks};
  const Share share = share_of(config, world);
  const int ranks_here = std::min(world.ranks, world.ranks_a_host);
  const auto elements = static_cast<double>(cost.layout.size());
  const double merges =
      config.dist.reduce == "exact" ? std::max(0, share.lanes / 2 - 1) : 0;
  const double merge = merges * elements * cost.merge;
  forecast.compute = on_cores(share.samples * cost.sample,
                              share.host_samples * cost.sample, world.cores) +
                     on_cores(merge, merge * ranks_here, world.cores);
  const double updated =
      config.dist.zero_stage == 0 ? elements : elements / world.ranks;
  forecast.update = on_cores(updated * cost.update,
                             updated * cost.update * ranks_here, world.cores);
  forecast.memory_bytes = memory_of(cost, config, world.ranks);
  if (world.ranks == 1 || links.empty()) return forecast;
  const Traffic traffic = traffic_of(cost, config, link_for(links, world.ranks),
                                     world, share.lanes);
  forecast.communication = traffic.early + traffic.late;
  if (!config.dist.overlap) return forecast;
  // The thread that sends needs a core of its own to get on beside backward.
  const double free =
      std::clamp((world.cores - ranks_here) / ranks_here, 0.0, 1.0);
  const double backward =
      cost.sample * cost.backward * static_cast<double>(largest_lane(config));
  forecast.hidden = free * std::min(traffic.early, backward);
  return forecast;
}

std::string StepForecast::text() const {
  char line[192];
  std::snprintf(line, sizeof(line),
                "%.4g s (compute %.4g, communication %.4g, of it hidden %.4g, "
                "update %.4g)",
                seconds(), compute, communication, hidden, update);
  return line;
}

}  // namespace sono
