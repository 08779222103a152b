#include "experiments/run_context.h"

#include "core/atomic_file.h"
#include "core/progress.h"
#include "experiments/run_folder.h"

namespace sono {

bool RunContext::should_stop() const {
  const auto note = stop_note(out);
  if (stop.requested()) {
    if (!std::filesystem::exists(note)) write_file_atomic(note, "");
    return true;
  }
  return std::filesystem::exists(note);
}

void share_out(const RunContext& context, const std::string& label,
               const std::string& unit, LeasedWork work) {
  Progress progress(label, work.items, unit, context.rank_zero());
  work.first_item =
      first_item_of(work.items, context.comm.rank(), context.comm.world_size());
  work.should_stop = [&] { return context.should_stop(); };
  work.on_progress = [&](std::int64_t done) { progress.update(done); };
  run_together(context.comm, [&] { run_leased_work(work, LeaseConfig()); });
  progress.finish();
}

}  // namespace sono
