#pragma once
// What the bench programs share: one clock, times of the slowest rank, and the
// lines that tests/bench/report.py reads.

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "dist/communicator.h"
#include "dist/mpi/communicator.h"

namespace sono::bench {

// Repeated measurements of one thing on one side of a comparison.
struct Series {
  std::string name;  // "step/unet/exact/4", as in report.py
  std::string unit;  // "s", "GB/s", "bytes", "calls"
  std::vector<double> values;
  std::int64_t parameters = 0;  // of the model; 0: there is none
};

// Rank 0 prints {"series", "unit", "values", "ranks", "parameters"} as one line
// of JSON.
void print(const Communicator& comm, const Series& series);

// `value` of every rank, its largest. All ranks must call.
double largest(Communicator& comm, double value);
// The sum of `value` over the ranks, in rank order. All ranks must call.
double total(Communicator& comm, double value);

// Seconds that the slowest rank spends in `work`, all starting together. All
// ranks must call.
double time_together(Communicator& comm, const std::function<void()>& work);

// `text` as a whole number of 1 or more. ConfigError naming the argument
// otherwise.
int parse_count(const std::string& name, const std::string& text);

// main of a bench program started by mpirun: one thread a rank, the world, and
// errors as messages and exit codes.
int bench_main(
    const std::function<void(const MpiSession&, Communicator&)>& body);

}  // namespace sono::bench
