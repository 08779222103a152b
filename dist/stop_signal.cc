#include "dist/stop_signal.h"

#include <csignal>

#include "core/check.h"

namespace sono {
namespace {

static_assert(std::atomic<bool>::is_always_lock_free);
std::atomic<bool> signalled{false};
std::atomic<bool> interrupted{false};
std::atomic<bool> terminated{false};

// Only async-signal-safe work.
extern "C" void on_stop_signal(int number) {
  signalled = true;
  const bool again = number == SIGINT    ? interrupted.exchange(true)
                     : number == SIGTERM ? terminated.exchange(true)
                                         : false;
  if (again) {
    std::signal(number, SIG_DFL);
    std::raise(number);
  }
}

}  // namespace

StopSignal::StopSignal(double wall_seconds) {
  SONO_CHECK(wall_seconds >= 0, "a negative wall-clock limit");
  if (wall_seconds == 0) return;
  deadline_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(wall_seconds));
}

void StopSignal::install_handlers() {
  struct sigaction action = {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  for (const int number : {SIGUSR1, SIGUSR2, SIGTERM, SIGINT}) {
    SONO_CHECK_EQ(::sigaction(number, &action, nullptr), 0);
  }
}

bool StopSignal::requested() const {
  return requested_ || signalled || Clock::now() >= deadline_;
}

}  // namespace sono
