// Seconds and memory that a SAM image encoder takes for one image. The peers
// are in tests/bench/sam_encoder.py.
//
//   sam_encoder lite_medsam|vit_b|vit_l|vit_h THREADS ROUNDS

#include <ATen/Parallel.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/sam/sam.h"
#include "tests/bench/samples.h"

namespace sono::bench {
namespace {

// A field of /proc/self/status, in bytes.
double status_bytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field + ":", 0) == 0) {
      return 1024 * std::stod(line.substr(field.size() + 1));
    }
  }
  throw Error("/proc/self/status has no " + field);
}

void report(const std::string& series, const std::string& unit,
            const std::vector<double>& values) {
  const nlohmann::json line = {
      {"series", series}, {"unit", unit}, {"values", values}, {"ranks", 1}};
  std::cout << line.dump() + "\n" << std::flush;
}

void measure(const std::string& name, int threads, int rounds) {
  using Clock = std::chrono::steady_clock;
  at::set_num_threads(threads);
  Sam model(named_sam_config(name));
  model.initialize(1);
  StateDict state = model.state();
  model.load(state, "random weights");
  const std::int64_t side = model.config().image_size_px();
  const at::Tensor image = at::full({1, 3, side, side}, 0.1);
  const double resident = status_bytes("VmRSS");
  model.encode(image);
  const double peak = status_bytes("VmHWM");
  std::vector<double> seconds;
  for (int i = 0; i < rounds; ++i) {
    const auto start = Clock::now();
    model.encode(image);
    const std::chrono::duration<double> passed = Clock::now() - start;
    seconds.push_back(passed.count());
  }
  const std::string series = "sam/" + name + "/ours/";
  report(series + "seconds", "s", seconds);
  report(series + "peak", "bytes", {peak});
  report(series + "working", "bytes", {peak - resident});
}

}  // namespace
}  // namespace sono::bench

int main(int argc, char** argv) {
  try {
    if (argc != 4) {
      throw sono::ConfigError("usage: sam_encoder MODEL THREADS ROUNDS");
    }
    sono::bench::measure(argv[1], sono::bench::parse_count("THREADS", argv[2]),
                         sono::bench::parse_count("ROUNDS", argv[3]));
    return 0;
  } catch (const sono::Error& error) {
    std::cerr << error.what() << "\n";
    return error.exit_code();
  }
}
