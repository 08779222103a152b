#pragma once
// A step's predicted time beside the measured one.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dist/communicator.h"
#include "trainer/step_model.h"
#include "trainer/task.h"
#include "trainer/telemetry.h"

namespace sono {

class ForecastCheck {
 public:
  static constexpr std::int64_t kSteps = 50;

  // Makes the forecast from lanes of the task and some all-reduces, unless it
  // was not asked for or the training is too short. Before an arena takes the
  // parameters over. All ranks must call.
  ForecastCheck(Communicator& comm, Task& task, const TrainConfig& config,
                const Telemetry& telemetry, const std::string& label);

  // A step took so long; after the first and fifty more, says both times.
  void add(double seconds);

  const std::optional<StepForecast>& forecast() const { return forecast_; }

 private:
  void report();

  std::optional<StepForecast> forecast_;
  const Telemetry& telemetry_;
  const std::string label_;
  const bool speaks_;
  std::vector<double> seconds_;
};

// The links of all ranks, measured with a small tensor and one of at most
// `bucket_bytes`: a tenth of a second. Empty for a single rank. All ranks must
// call.
std::vector<LinkModel> measure_link(Communicator& comm,
                                    std::int64_t bucket_bytes);

}  // namespace sono
