#pragma once
// Makes a training's trace of some steps, and its file.

#include <cstdint>
#include <optional>
#include <string>

#include "dist/communicator.h"
#include "dist/recorder/step_trace.h"
#include "trainer/telemetry.h"

namespace sono {

// One a training and rank. Nothing happens without steps to trace, or where the
// communicator has no recorder.
class StepTracer {
 public:
  StepTracer(Communicator& comm, const Telemetry& telemetry,
             const std::string& label);
  ~StepTracer();
  StepTracer(const StepTracer&) = delete;
  StepTracer& operator=(const StepTracer&) = delete;

  // Around each step, counted from 1; after the last one the file is written.
  // An existing file of that name is replaced.
  void begin_step(std::int64_t step);
  void end_step(std::int64_t step);

 private:
  void write();

  FlightRecorder* recorder_;
  TraceSteps steps_;
  std::filesystem::path file_;
  std::optional<StepTrace> trace_;  // lives as long as this: see set_trace
  bool open_ = false;
};

}  // namespace sono
