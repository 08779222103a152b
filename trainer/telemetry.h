#pragma once
// What a training shows while it runs, beside its log. None of it changes a
// result.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "core/metrics_file.h"

namespace sono {

// Steps first to last, counted from 1.
struct TraceSteps {
  std::int64_t first = 0;
  std::int64_t last = -1;

  // "10-12" or "10"; none when empty. ConfigError naming --trace-steps.
  static TraceSteps parse(const std::string& text);
  bool any() const { return last >= first; }
};

struct Telemetry {
  std::filesystem::path events;  // TensorBoard's event file; empty: none
  MetricsFile* metrics = nullptr;
  TraceSteps trace;
  // Traces go to TRACES/LABEL-rankNNNN.json.
  std::filesystem::path traces;
  // Says before the first step how long one will take, and beside it, after
  // fifty, how long they took. Costs three lanes before the first step.
  bool forecast = false;
  // Gets both, on rank 0; may be empty.
  std::function<void(const nlohmann::json&)> on_forecast;
};

}  // namespace sono
