#include "experiments/run_context.h"

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/progress.h"
#include "dist/recorder/flight_recorder.h"
#include "experiments/run_folder.h"
#include "experiments/run_telemetry.h"

namespace sono {

bool RunContext::should_stop() const {
  if (guest) return stop.requested();
  const auto note = stop_note(out);
  if (stop.requested()) {
    if (!std::filesystem::exists(note)) write_file_atomic(note, "");
    return true;
  }
  return std::filesystem::exists(note);
}

void RunContext::proceed() const {
  if (comm.recorder() != nullptr) comm.recorder()->tick();
  if (should_stop()) {
    throw StopRequested(
        "stopped on request with all finished work kept; run "
        "the same command again to go on");
  }
}

Telemetry telemetry_of(const RunContext& context, const std::string& label) {
  return make_telemetry(context.out, label, context.recipe.place.trace_steps,
                        context.metrics);
}

std::int64_t share_out(const RunContext& context, Phase phase,
                       const std::string& label, const std::string& unit,
                       LeasedWork work) {
  FlightRecorder* recorder = context.comm.recorder();
  const PhaseMark mark(recorder, phase);
  Progress progress(label, work.items, unit, context.rank_zero());
  work.first_item =
      first_item_of(work.items, context.comm.rank(), context.comm.world_size());
  // Asked while waiting for other workers too, whose own watchdogs see to it
  // that they get on.
  work.should_stop = [&] {
    if (recorder != nullptr) recorder->tick();
    return context.should_stop();
  };
  work.on_progress = [&](std::int64_t done) { progress.update(done); };
  std::int64_t done_here = 0;
  run_together(context.comm, [&] {
    done_here = run_leased_work(work, context.recipe.lease);
  });
  progress.finish();
  return done_here;
}

}  // namespace sono
