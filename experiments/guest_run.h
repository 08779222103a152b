#pragma once
// A run's folder seen by a process that is not one of the run's ranks. It makes
// no stage, talks to nobody and may come, go and be killed at any time. One
// thread.

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "experiments/run_context.h"
#include "experiments/study.h"

namespace sono {

struct WatchOptions {
  bool watch = true;        // else one look
  double idle_seconds = 0;  // without anything to do, then end; 0: never
  double poll_seconds = 2;  // between two looks

  void validate() const;  // ConfigError naming the flag
};

// Whether a guest's options must be the run's own.
enum class GuestConfig { kSame, kChanged };

class GuestRun {
 public:
  // `recipe` and `options` as the run's config.ini has them. ConfigError when
  // `out` is no run, or one of other options or of another kind of machine. All
  // references must outlive this.
  GuestRun(const Recipe& recipe, const OptionTable& options,
           const std::filesystem::path& out, const StopSignal& stop,
           GuestConfig config = GuestConfig::kSame);

  const RunContext& context() const { return context_; }
  // None while a phantom cohort of the run is not drawn yet; DataError or
  // ConfigError when a cohort is not as it should be.
  const Study* study();
  // Looks again and again: `look` does what there is to do and says whether it
  // did anything, and whether all is done. StopRequested on request.
  struct Look {
    bool worked = false;
    bool complete = false;
  };
  void watch(const WatchOptions& options, const std::function<Look()>& look);

 private:
  void pause(double seconds) const;

  std::unique_ptr<Communicator> comm_;
  JsonLines log_{""};
  StageRunner stages_;
  RunContext context_;
  std::optional<Study> study_;
};

}  // namespace sono
