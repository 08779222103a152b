#pragma once
// Where a run's trainings show what they do: RUN/tensorboard/, RUN/traces/,
// run.json and the file of place.metrics_file.

#include <filesystem>
#include <memory>
#include <string>

#include "dist/communicator.h"
#include "trainer/telemetry.h"

namespace sono {

// Rank 0's metrics of the run in `out`; null without a file. ConfigError as in
// core/metrics_file.h. All ranks must call.
std::unique_ptr<MetricsFile> open_metrics(const std::string& file,
                                          const std::filesystem::path& out,
                                          Communicator& comm);

// Of the training of that label; `metrics` may be null.
Telemetry make_telemetry(const std::filesystem::path& out,
                         const std::string& label,
                         const std::string& trace_steps, MetricsFile* metrics);

}  // namespace sono
