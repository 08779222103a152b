#pragma once
// What a rank knows of the others while it runs. A thread of its own does all
// file access, so that a slow disk never holds the watchdog up: it publishes
// this rank's status in the shared folder and, while somebody waits, reads the
// others' recordings (where they are on this host) or statuses.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "dist/recorder/flight_recorder.h"
#include "dist/recorder/rank_view.h"

namespace sono {

class PeerBoard {
 public:
  struct Peer {
    std::optional<RankView> view;  // as last read
    // Seconds, on this rank's own clock, since it was seen to get on and since
    // its watchdog's thread was seen to run.
    double progress_age = 0;
    double beat_age = 0;
  };

  // The recorder must outlive the board.
  explicit PeerBoard(FlightRecorder& recorder);
  // Removes the published status of a rank that ended well.
  ~PeerBoard();
  PeerBoard(const PeerBoard&) = delete;
  PeerBoard& operator=(const PeerBoard&) = delete;

  // Shall the others be read again and again? Any thread, as all of these.
  void follow_peers(bool wanted);
  // One entry a rank, this one included, as last read; empty before.
  std::vector<Peer> peers() const;
  // The same after reading once more, if that takes no longer than `seconds`.
  std::vector<Peer> read_now(double seconds);

 private:
  using Clock = std::chrono::steady_clock;
  struct Sighting {
    std::optional<RankView> view;
    Clock::time_point progressed, beat;
  };
  void work();
  void publish() const;
  void read_peers();
  std::optional<RankView> read_rank(int rank) const;
  std::vector<Peer> ages() const;  // mutex held

  FlightRecorder& recorder_;
  const std::chrono::duration<double> interval_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool wanted_ = false;
  std::uint64_t asked_ = 0;  // readings asked for, and done
  std::uint64_t answered_ = 0;
  std::vector<Sighting> sightings_;
  std::thread thread_;  // last: starts when all else is ready
};

}  // namespace sono
