#include "dist/recorder/watchdog.h"

#include <unistd.h>

#include <algorithm>
#include <future>

#include "dist/recorder/rank_files.h"
#include "dist/recorder/rank_text.h"

namespace sono {
namespace {

constexpr int kExitStalled = 4;
constexpr double kEndSeconds = 15;       // for a rank that is about to end
constexpr double kEvidenceSeconds = 5;   // for message and copy
constexpr double kReadPeersSeconds = 2;  // for a last look at the others
// Waiters speak after those who are stuck, and one after the other, so that
// one message suffices.
constexpr double kWaiterDelaySeconds = 0.5;
constexpr double kRankDelaySeconds = 0.05;

// In one call, since other ranks write to the same place.
void write_error(const std::string& text) {
  const char* data = text.data();
  for (std::size_t left = text.size(); left > 0;) {
    const ssize_t size = ::write(STDERR_FILENO, data, left);
    if (size <= 0) return;
    data += size;
    left -= static_cast<std::size_t>(size);
  }
}

// Culprits cannot keep theirs themselves when they are stuck or stopped.
void keep_recordings(const FlightRecorder& recorder,
                     const std::vector<int>& culprits) {
  const std::string problem = recorder.keep();
  if (!problem.empty()) write_error("sonoforge: " + problem + "\n");
  const RecorderOptions& options = recorder.options();
  if (recorder.shared_folder().empty()) return;
  for (const int rank : culprits) {
    if (rank == options.rank) continue;
    (void)keep_ring(ring_path(options.folder, options.job, rank),
                    recorder.shared_folder(), rank);
  }
}

}  // namespace

void end_stalled_job(const FlightRecorder& recorder, const Stall& stall) {
  std::promise<void> done;
  std::thread([&] {
    write_error("sonoforge: " + stall.message + "\n");
    keep_recordings(recorder, stall.diagnosis.culprits);
    done.set_value();
  }).detach();
  done.get_future().wait_for(std::chrono::duration<double>(kEvidenceSeconds));
  ::_exit(kExitStalled);
}

Watchdog::Watchdog(FlightRecorder& recorder, PeerBoard& board,
                   std::function<void(const Stall&)> on_stall)
    : recorder_(recorder),
      board_(board),
      on_stall_(std::move(on_stall)),
      interval_(std::clamp(recorder.options().deadlines.step / 32, 0.01, 1.0)),
      thread_([this] { watch(); }) {}

Watchdog::~Watchdog() {
  stopping_ = true;
  thread_.join();
}

void Watchdog::expect_end() {
  recorder_.tick();
  ending_ = true;
}

void Watchdog::watch() {
  while (!stopping_) {
    recorder_.beat();
    advance();
    if (is_stalled()) {
      const bool waits = recorder_.view().waiting() != nullptr;
      const Stall stall =
          report("no progress for " + seconds_text(idle_seconds_), !waits);
      if (!on_stall_) end_stalled_job(recorder_, stall);
      on_stall_(stall);
      return;
    }
    std::this_thread::sleep_for(interval_);
  }
}

// A process that was itself stopped and goes on must not take the pause for
// its peers' silence: no pause counts for more than a few intervals.
void Watchdog::advance() {
  const auto now = Clock::now();
  const std::chrono::duration<double> passed = now - woken_;
  woken_ = now;
  const std::uint64_t progress = recorder_.progress();
  if (progress != progress_) {
    progress_ = progress;
    idle_seconds_ = 0;
    return;
  }
  idle_seconds_ += std::min(passed.count(), 4 * interval_.count() + 0.1);
}

bool Watchdog::is_stalled() {
  if (ending_) return idle_seconds_ > kEndSeconds;
  if (recorder_.end() == RingEnd::kDone) return false;
  const Deadlines& deadlines = recorder_.options().deadlines;
  const Phase phase = recorder_.phase();
  const double shortest =
      std::min(deadlines.step, work_deadline(phase, deadlines));
  board_.follow_peers(idle_seconds_ > shortest / 8);
  if (idle_seconds_ <= shortest) return false;
  const RankView own = recorder_.view();
  if (own.waiting() == nullptr) {
    return idle_seconds_ > work_deadline(phase, deadlines);
  }
  double limit = phase == Phase::kStart ? deadlines.start : deadlines.step;
  const double silence = silence_of_missing(own, &limit);
  return silence > limit + kWaiterDelaySeconds +
                       kRankDelaySeconds * recorder_.options().rank;
}

double Watchdog::silence_of_missing(const RankView& own, double* limit) {
  const RecordedOperation& mine = *own.waiting();
  const bool patient = waits_for_work(own.phase);
  bool missing = false;
  double silence = 0;
  for (const PeerBoard::Peer& peer : board_.peers()) {
    if (!peer.view) {
      // Of another host, before there is a shared folder.
      if (patient) *limit = recorder_.options().deadlines.start;
      continue;
    }
    const auto last = peer.view->last.find(mine.group);
    const std::uint64_t entered =
        last == peer.view->last.end() ? 0 : last->second.sequence;
    if (entered >= mine.sequence) continue;
    missing = true;
    double age = peer.progress_age;
    if (patient && peer.view->waiting() == nullptr &&
        peer.view->end == RingEnd::kRunning) {
      age = std::min(age, peer.beat_age);
    }
    silence = std::max(silence, std::min(age, idle_seconds_));
  }
  return missing ? silence : idle_seconds_;
}

Stall Watchdog::report(const std::string& reason, bool stuck_here) {
  const RecorderOptions& options = recorder_.options();
  Stall stall;
  stall.rank = options.rank;
  std::vector<std::optional<RankView>> ranks;
  for (PeerBoard::Peer& peer : board_.read_now(kReadPeersSeconds)) {
    ranks.push_back(std::move(peer.view));
  }
  ranks.resize(std::max<std::size_t>(
      ranks.size(), static_cast<std::size_t>(
                        std::max(recorder_.world_size(), options.rank + 1))));
  stall.diagnosis = diagnose(
      ranks, stuck_here ? std::optional<int>(options.rank) : std::nullopt);
  stall.message = "rank " + std::to_string(options.rank) + " on " +
                  options.host + ": " + reason + " in phase " +
                  std::string(phase_name(recorder_.phase())) + " of step " +
                  std::to_string(recorder_.step()) + "; ending the job";
  for (const std::string& line : stall.diagnosis.lines) {
    stall.message += "\n  " + line;
  }
  const auto folder = recorder_.shared_folder();
  stall.message += folder.empty()
                       ? "\n  recording: " + recorder_.path().string()
                       : "\n  read the recordings with: sonoforge hang " +
                             folder.parent_path().string();
  return stall;
}

}  // namespace sono
