#include "tests/bench/samples.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/message.h"

namespace sono::bench {
namespace {

constexpr double kDeadlineSeconds = 120;

std::vector<double> gather(Communicator& comm, double value) {
  std::vector<double> values;
  for (const at::Tensor& one :
       comm.all_gather(at::full({1}, value, at::kDouble))) {
    values.push_back(one.item<double>());
  }
  return values;
}

}  // namespace

void print(const Communicator& comm, const Series& series) {
  if (comm.rank() != 0) return;
  nlohmann::json line = {{"series", series.name},
                         {"unit", series.unit},
                         {"values", series.values},
                         {"ranks", comm.world_size()}};
  if (series.parameters > 0) line["parameters"] = series.parameters;
  std::cout << line.dump() + "\n" << std::flush;
}

double largest(Communicator& comm, double value) {
  const std::vector<double> values = gather(comm, value);
  return *std::max_element(values.begin(), values.end());
}

double total(Communicator& comm, double value) {
  double sum = 0;
  for (const double one : gather(comm, value)) sum += one;
  return sum;
}

double time_together(Communicator& comm, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  comm.barrier();
  const Clock::time_point start = Clock::now();
  work();
  const std::chrono::duration<double> passed = Clock::now() - start;
  return largest(comm, passed.count());
}

int parse_count(const std::string& name, const std::string& text) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (end == text.c_str() || *end != '\0' || value < 1 || value > 1 << 20) {
    throw ConfigError(name + ": " + text +
                      " should be a whole number of 1 or more");
  }
  return static_cast<int>(value);
}

int bench_main(
    const std::function<void(const MpiSession&, Communicator&)>& body) {
  try {
    at::set_num_threads(1);
    const MpiSession session;
    configure_log(session.rank());
    const auto comm = make_mpi_communicator(session, kDeadlineSeconds);
    body(session, *comm);
    return 0;
  } catch (const Error& error) {
    log_error(error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    log_error(error.what());
    return 1;
  }
}

}  // namespace sono::bench
