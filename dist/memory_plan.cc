#include "dist/memory_plan.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>

#include "dist/reducer/subtree_reducer.h"

namespace sono {
namespace {

constexpr std::int64_t kElement = sizeof(float);

std::int64_t total(const std::vector<Range>& ranges) {
  std::int64_t elements = 0;
  for (const Range& range : ranges) elements += range.size();
  return elements * kElement;
}

std::int64_t bytes_of(const FlatBuffer& buffer) {
  return buffer.defined() ? static_cast<std::int64_t>(buffer.data.nbytes()) : 0;
}

// What lies between blocks, the block in use and the one ahead.
std::int64_t most_gathered(const Layout& layout, const EntryRanges& blocks) {
  const auto& entries = layout.entries();
  std::vector<std::int64_t> sizes = {0, 0};
  std::int64_t between = layout.size();
  for (const auto& [first, last] : blocks) {
    const std::int64_t end =
        last < entries.size() ? entries[last].offset : layout.size();
    sizes.push_back(end - entries[first].offset);
    between -= sizes.back();
  }
  std::sort(sizes.rbegin(), sizes.rend());
  return (between + sizes[0] + sizes[1]) * kElement;
}

double megabytes(std::int64_t bytes) {
  return static_cast<double>(bytes) / 1e6;
}

}  // namespace

std::string MemoryPlan::text() const {
  std::array<char, 256> line = {};
  std::snprintf(line.data(), line.size(),
                "model state %.1f MB (parameters %.1f, gradient %.1f, moments "
                "%.1f, average %.1f), lane buffers %.1f MB, gathered %.1f MB",
                megabytes(model_state()), megabytes(params),
                megabytes(gradient), megabytes(moments), megabytes(average),
                megabytes(lane_buffers), megabytes(gathered));
  return line.data();
}

MemoryPlan predict_memory(const Layout& layout, const ArenaOptions& arena,
                          const ReducerOptions& reducer,
                          const EntryRanges& blocks) {
  const BucketPlan plan(layout, arena.buckets, arena.world_size);
  const std::int64_t whole = layout.size() * kElement;
  const std::int64_t owned = total(plan.owned(arena.rank));
  const std::int64_t state = arena.zero_stage >= 1 ? owned : whole;
  MemoryPlan memory;
  memory.params = arena.zero_stage >= 3 ? owned : whole;
  if (arena.zero_stage >= 3) memory.gathered = most_gathered(layout, blocks);
  memory.gradient = arena.zero_stage >= 2 ? owned : whole;
  memory.moments = (arena.with_second_moment ? 2 : 1) * state;
  memory.average = arena.with_ema ? state : 0;
  if (arena.zero_stage < 2) {
    const int buffers =
        num_gradient_buffers(reducer, arena.world_size, arena.rank);
    memory.lane_buffers = (std::max(1, buffers) - 1) * whole;
  }
  return memory;
}

MemoryPlan measure_memory(const Arena& arena, const GradientReducer& reducer,
                          const ParameterUnits* units) {
  MemoryPlan memory;
  memory.params = bytes_of(arena.params);
  memory.gradient = bytes_of(arena.grad);
  memory.moments = bytes_of(arena.exp_avg) + bytes_of(arena.exp_avg_sq);
  memory.average = bytes_of(arena.ema);
  memory.lane_buffers = reducer.lane_buffer_bytes();
  if (units != nullptr) memory.gathered = units->peak_bytes();
  return memory;
}

std::int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t size = 0, resident = 0;
  if (!(statm >> size >> resident)) return 0;
  return resident * ::sysconf(_SC_PAGESIZE);
}

}  // namespace sono
