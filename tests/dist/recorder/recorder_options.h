#pragma once
// A recorder of a make-believe rank in a folder of the test's own.

#include "dist/recorder/flight_recorder.h"

namespace sono {

inline RecorderOptions recorder_options(const std::filesystem::path& folder,
                                        int rank, int world_size = 2) {
  RecorderOptions options;
  options.folder = folder;
  options.job = "test";
  options.rank = rank;
  options.world_size = world_size;
  options.host = "host" + std::to_string(rank);
  options.deadlines = {.start = 2.0, .step = 0.6};
  return options;
}

}  // namespace sono
