#include "experiments/run_context.h"

#include "core/atomic_file.h"
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

}  // namespace sono
