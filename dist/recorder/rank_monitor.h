#pragma once
// All that watches over one rank: its recorder, what it knows of the others,
// and its watchdog.

#include "dist/recorder/watchdog.h"

namespace sono {

struct RankMonitor {
  explicit RankMonitor(const RecorderOptions& options)
      : recorder(options), board(recorder), watchdog(recorder, board) {}

  FlightRecorder recorder;
  PeerBoard board;
  Watchdog watchdog;
};

}  // namespace sono
