#pragma once
// Ends the job when a rank makes no progress for longer than its phase allows,
// whatever its main thread is stuck in: a wait, the network, a disk, a device.
//
// A rank that works must get on within its phase's deadline. A rank that waits
// for others is patient for as long as those who are missing get on; between
// stages also for as long as they work and their own watchdogs run, since these
// watch over them. Silence beyond the deadline ends the job.

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "dist/recorder/diagnosis.h"
#include "dist/recorder/peer_board.h"

namespace sono {

struct Stall {
  int rank = 0;  // that noticed
  Diagnosis diagnosis;
  std::string message;
};

// Prints the message, keeps the recordings (this rank's, and the culprits'
// where they are on this host) in the shared folder and ends the process with
// 4, all within a few seconds even when neither standard error nor a disk takes
// anything. Under MPI that ends the job.
[[noreturn]] void end_stalled_job(const FlightRecorder& recorder,
                                  const Stall& stall);

class Watchdog {
 public:
  // `on_stall` is called on the watchdog's thread, once; empty stands for
  // end_stalled_job. The others must outlive the watchdog.
  Watchdog(FlightRecorder& recorder, PeerBoard& board,
           std::function<void(const Stall&)> on_stall = {});
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // From now on the rank is about to end by itself, for which it has a few
  // seconds whatever its phase.
  void expect_end();

  // What is known at this moment, with `reason` in front.
  Stall report(const std::string& reason, bool stuck_here);

 private:
  using Clock = std::chrono::steady_clock;
  void watch();
  // Adds the time since the last call to the time without progress.
  void advance();
  bool is_stalled();
  // Seconds for which nobody this rank waits for gave a sign of progress.
  double silence_of_missing(const RankView& own, double* limit);

  FlightRecorder& recorder_;
  PeerBoard& board_;
  std::function<void(const Stall&)> on_stall_;
  std::chrono::duration<double> interval_;
  std::uint64_t progress_ = 0;
  double idle_seconds_ = 0;
  Clock::time_point woken_ = Clock::now();
  std::atomic<bool> stopping_{false};
  std::atomic<bool> ending_{false};
  std::thread thread_;  // last: starts when all else is ready
};

}  // namespace sono
