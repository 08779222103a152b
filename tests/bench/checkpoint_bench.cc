// What a checkpoint of 1 GB of state costs: the stall of training by a save,
// the slowdown of steps while it is being written, and loading it on other
// numbers of ranks than wrote it. The peer is tests/bench/checkpoint_bench.py.
//
//   mpirun -n 1 checkpoint_bench FOLDER ROUNDS [MEGABYTES]
//
// FOLDER is made, filled with checkpoints and removed. One core trains, one is
// left to the writer.

#include <algorithm>
#include <filesystem>

#include "core/check.h"
#include "core/error.h"
#include "dist/checkpoint/reader.h"
#include "dist/checkpoint/store.h"
#include "dist/local/communicator.h"
#include "tests/bench/samples.h"

namespace sono::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kSide = 512;  // of each parameter, a square matrix
constexpr int kQuietSteps = 10;

double seconds_of(const std::function<void()>& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  SONO_CHECK(!values.empty(), "nothing was measured");
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Parameters and two moments of `megabytes` (10^6 bytes) together.
Arena make_state(std::int64_t megabytes, int stage, const Communicator& comm) {
  const std::int64_t count = megabytes * 1'000'000 / (3 * 4 * kSide * kSide);
  NamedTensors parameters;
  for (std::int64_t i = 0; i < std::max<std::int64_t>(1, count); ++i) {
    parameters.emplace_back("layer." + std::to_string(i) + ".weight",
                            at::full({kSide, kSide}, 0.5).requires_grad_());
  }
  return Arena(parameters, {.zero_stage = stage,
                            .rank = comm.rank(),
                            .world_size = comm.world_size()});
}

CheckpointState state_at(std::int64_t step) {
  CheckpointState state;
  state.step = step;
  return state;
}

// Work of about a tenth of a second on one core.
class Step {
 public:
  void operator()() {
    const at::NoGradGuard no_grad;
    for (int i = 0; i < 4; ++i) out_ = at::mm(a_, a_);
  }

 private:
  at::Tensor a_ = at::full({1024, 1024}, 0.01);
  at::Tensor out_;
};

void measure_saves(Communicator& comm, const fs::path& root, int rounds,
                   std::int64_t megabytes) {
  const Arena arena = make_state(megabytes, 0, comm);
  CheckpointStore store(comm, root, arena);
  Step step;
  step();
  Series stall{"checkpoint/stall/ours", "s", {}, 0};
  Series slowdown{"checkpoint/slowdown/ours", "ratio", {}, 0};
  for (int round = 1; round <= rounds; ++round) {
    std::vector<double> quiet, writing;
    for (int i = 0; i < kQuietSteps; ++i) quiet.push_back(seconds_of(step));
    double waited = seconds_of([&] { store.save(state_at(round)); });
    while (store.saving()) {
      writing.push_back(seconds_of(step));
      waited += seconds_of([&] { store.wait_copied(); });
    }
    stall.values.push_back(waited);
    slowdown.values.push_back(median(writing) / median(quiet));
    store.finish();
  }
  print(comm, stall);
  print(comm, slowdown);
}

void write_with(int ranks, const fs::path& root, std::int64_t megabytes) {
  run_local_ranks(ranks, [&](Communicator& comm) {
    const Arena arena = make_state(megabytes, 2, comm);
    CheckpointStore store(comm, root, arena);
    store.save(state_at(1));
    store.finish();
  });
}

double load_with(int ranks, const fs::path& root, std::int64_t megabytes) {
  double seconds = 0;
  run_local_ranks(ranks, [&](Communicator& comm) {
    Arena arena = make_state(megabytes, 2, comm);
    const double slowest = time_together(comm, [&] {
      const auto found = find_checkpoint(comm, root, state_at(0));
      load_checkpoint(comm, found->path, arena);
    });
    if (comm.rank() == 0) seconds = slowest;
  });
  return seconds;
}

// Verified and read into sharded state; from page cache on all sides alike.
void measure_loads(Communicator& comm, const fs::path& root, int rounds,
                   std::int64_t megabytes) {
  struct Case {
    int writers;
    int readers;
  };
  const std::vector<Case> cases = {{2, 2}, {4, 2}, {2, 1}, {2, 4}};
  std::vector<Series> times;
  for (const auto& [writers, readers] : cases) {
    times.push_back({"checkpoint/load/" + std::to_string(writers) + "to" +
                         std::to_string(readers),
                     "s",
                     {},
                     0});
  }
  for (const int writers : {2, 4}) {
    write_with(writers, root / std::to_string(writers), megabytes);
  }
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
      times[i].values.push_back(
          load_with(cases[i].readers, root / std::to_string(cases[i].writers),
                    megabytes));
    }
  }
  for (const Series& series : times) print(comm, series);
}

}  // namespace
}  // namespace sono::bench

int main(int argc, char** argv) {
  using namespace sono;
  return bench::bench_main([&](const MpiSession&, Communicator& comm) {
    if (argc < 3 || comm.world_size() != 1) {
      throw ConfigError(
          "usage: mpirun -n 1 checkpoint_bench FOLDER ROUNDS [MEGABYTES]");
    }
    const std::filesystem::path root = argv[1];
    const int rounds = bench::parse_count("ROUNDS", argv[2]);
    const int megabytes =
        argc > 3 ? bench::parse_count("MEGABYTES", argv[3]) : 1000;
    bench::measure_saves(comm, root / "saves", rounds, megabytes);
    std::filesystem::remove_all(root / "saves");
    bench::measure_loads(comm, root / "loads", rounds, megabytes);
    std::filesystem::remove_all(root);
  });
}
