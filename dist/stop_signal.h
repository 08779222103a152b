#pragma once
// A request to stop soon, save and exit with 75: by signal or by wall clock.
// It is only a wish of one rank; the training loop lets the ranks agree at the
// end of a step.

#include <atomic>
#include <chrono>

namespace sono {

class StopSignal {
 public:
  // `wall_seconds` from now the clock asks to stop; 0 = never.
  explicit StopSignal(double wall_seconds = 0);

  // From now on SIGUSR1, SIGUSR2, SIGTERM and SIGINT set a flag that every
  // StopSignal of the process sees; a second SIGINT, or a second SIGTERM, ends
  // the process at once (one of each does not: Slurm sends SIGTERM to a step
  // that was asked to stop by SIGUSR1). Called by main.
  static void install_handlers();

  // As if a signal had come, for this object only. Any thread.
  void request() { requested_ = true; }
  bool requested() const;

 private:
  using Clock = std::chrono::steady_clock;
  std::atomic<bool> requested_{false};
  Clock::time_point deadline_ = Clock::time_point::max();
};

}  // namespace sono
