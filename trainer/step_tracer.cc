#include "trainer/step_tracer.h"

#include <cstdio>

#include "core/atomic_file.h"
#include "core/message.h"
#include "dist/recorder/flight_recorder.h"
#include "dist/recorder/rank_files.h"

namespace sono {
namespace {

std::string file_name(std::string label, int rank) {
  for (char& c : label) {
    if (c == ' ' || c == '/') c = '-';
  }
  char number[16];
  std::snprintf(number, sizeof(number), "%04d", rank);
  return label + "-rank" + number + ".json";
}

}  // namespace

StepTracer::StepTracer(Communicator& comm, const Telemetry& telemetry,
                       const std::string& label)
    : recorder_(telemetry.trace.any() ? comm.recorder() : nullptr),
      steps_(telemetry.trace),
      file_(telemetry.traces / file_name(label, comm.rank())) {
  if (recorder_ != nullptr) trace_.emplace(comm.rank(), host_name());
}

StepTracer::~StepTracer() {
  if (!open_) return;
  try {
    write();  // the training ended before the last step to trace
  } catch (const std::exception& error) {
    log_warning(error.what());
  }
}

void StepTracer::begin_step(std::int64_t step) {
  if (!trace_ || open_ || step < steps_.first || step > steps_.last) return;
  recorder_->set_trace(&*trace_);
  open_ = true;
}

void StepTracer::end_step(std::int64_t step) {
  if (open_ && step >= steps_.last) write();
}

void StepTracer::write() {
  open_ = false;
  recorder_->set_trace(nullptr);
  make_directories(file_.parent_path());
  write_file_atomic(file_, recorder_->trace_json(*trace_));
}

}  // namespace sono
