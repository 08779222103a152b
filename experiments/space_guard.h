#pragma once
// Back-pressure: work that writes waits while the disk is full, and goes on
// when somebody has made room.

#include <chrono>
#include <filesystem>
#include <functional>

#include "experiments/run_context.h"

namespace sono {

class SpaceGuard {
 public:
  // Watches the file system of `folder`, as [place] min_free_gb and
  // full_wait_minutes say.
  SpaceGuard(const RunContext& context, std::filesystem::path folder);

  // Waits for room, then does `write`; waits and does it again when it meets a
  // full disk all the same, so it must be idempotent. ResourceError when no
  // room came in time, StopRequested on request.
  void write(const std::function<void()>& write);

 private:
  using Clock = std::chrono::steady_clock;
  bool has_room() const;
  void check_patience(Clock::time_point since, const std::string& why) const;

  const RunContext& context_;
  std::filesystem::path folder_;
};

}  // namespace sono
