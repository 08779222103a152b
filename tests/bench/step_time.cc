// Seconds a training step takes, on several sides in turn: A B A B.
//
//   mpirun -n 2 step_time WORKLOAD ROUNDS SIDE/LANES ...
//   mpirun -n 2 step_time unet 5 exact/4 c10d/4

#include <cmath>

#include "core/check.h"
#include "core/error.h"
#include "tests/bench/samples.h"
#include "tests/bench/side.h"

namespace sono::bench {
namespace {

// Sides that do not train alike must not be compared. All ranks must call.
void check_losses(const std::vector<Side>& sides) {
  const double first = sides.front().stepper->loss();
  for (const Side& side : sides) {
    const double loss = side.stepper->loss();
    SONO_CHECK(std::abs(loss - first) <= 1e-3 * std::abs(first),
               side.name << " has loss " << loss << ", " << sides.front().name
                         << " has " << first);
  }
}

void run(Communicator& comm, const std::string& workload, int rounds,
         const std::vector<std::string>& names) {
  std::vector<Side> sides;
  std::vector<Series> times;
  for (const std::string& name : names) {
    sides.push_back(make_side(comm, workload, name));
    times.push_back(
        {"step/" + workload + "/" + name, "s", {}, sides.back().parameters});
  }
  for (int round = 0; round < kWarmUp + rounds; ++round) {
    for (std::size_t i = 0; i < sides.size(); ++i) {
      const double seconds =
          time_together(comm, [&] { sides[i].stepper->step(); });
      if (round >= kWarmUp) times[i].values.push_back(seconds);
    }
    check_losses(sides);
  }
  for (const Series& series : times) print(comm, series);
}

}  // namespace
}  // namespace sono::bench

int main(int argc, char** argv) {
  using namespace sono;
  return bench::bench_main([&](const MpiSession&, Communicator& comm) {
    if (argc < 4) {
      throw ConfigError("usage: step_time WORKLOAD ROUNDS SIDE/LANES ...");
    }
    bench::run(comm, argv[1], bench::parse_count("ROUNDS", argv[2]),
               {argv + 3, argv + argc});
  });
}
