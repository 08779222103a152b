#include "dist/recorder/peer_board.h"

#include <unistd.h>

#include <algorithm>

#include "dist/recorder/rank_files.h"

namespace sono {

PeerBoard::PeerBoard(FlightRecorder& recorder)
    : recorder_(recorder),
      interval_(std::clamp(recorder.options().deadlines.step / 16, 0.02, 5.0)),
      thread_([this] { work(); }) {}

PeerBoard::~PeerBoard() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  const auto folder = recorder_.shared_folder();
  if (folder.empty()) return;
  const auto status = status_path(folder, recorder_.options().rank);
  if (recorder_.end() == RingEnd::kDone) {
    ::unlink(status.c_str());
  } else {
    publish();
  }
}

void PeerBoard::follow_peers(bool wanted) {
  const std::lock_guard lock(mutex_);
  wanted_ = wanted;
}

std::vector<PeerBoard::Peer> PeerBoard::peers() const {
  const std::lock_guard lock(mutex_);
  return ages();
}

std::vector<PeerBoard::Peer> PeerBoard::read_now(double seconds) {
  std::unique_lock lock(mutex_);
  const std::uint64_t mine = ++asked_;
  changed_.notify_all();
  changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                    [&] { return answered_ >= mine; });
  return ages();
}

std::vector<PeerBoard::Peer> PeerBoard::ages() const {
  const auto now = Clock::now();
  const auto age = [&](Clock::time_point time) {
    return std::chrono::duration<double>(now - time).count();
  };
  std::vector<Peer> peers;
  for (const Sighting& sighting : sightings_) {
    peers.push_back(
        {sighting.view, age(sighting.progressed), age(sighting.beat)});
  }
  return peers;
}

void PeerBoard::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::uint64_t asked = asked_;
    const bool read = wanted_ || asked > answered_;
    lock.unlock();
    publish();
    if (read) read_peers();
    lock.lock();
    answered_ = asked;
    changed_.notify_all();
    changed_.wait_for(lock, interval_,
                      [&] { return stopping_ || asked_ > answered_; });
  }
}

// A status that cannot be written only makes this rank look silent to others.
void PeerBoard::publish() const {
  const auto folder = recorder_.shared_folder();
  if (folder.empty()) return;
  (void)write_status(status_path(folder, recorder_.options().rank),
                     recorder_.view());
}

void PeerBoard::read_peers() {
  const auto world_size = static_cast<std::size_t>(recorder_.world_size());
  std::vector<std::optional<RankView>> views;
  for (std::size_t r = 0; r < world_size; ++r) {
    views.push_back(read_rank(static_cast<int>(r)));
  }
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (sightings_.size() != world_size) {
    sightings_.assign(world_size, {std::nullopt, now, now});
  }
  for (std::size_t r = 0; r < world_size; ++r) {
    Sighting& last = sightings_[r];
    if (!views[r]) continue;  // keep what was known
    if (!last.view || last.view->progress != views[r]->progress) {
      last.progressed = now;
    }
    if (!last.view || last.view->beat != views[r]->beat) last.beat = now;
    last.view = std::move(views[r]);
  }
}

// A status may be left from a job before; a ring bears the job in its name.
std::optional<RankView> PeerBoard::read_rank(int rank) const {
  const RecorderOptions& options = recorder_.options();
  if (rank == options.rank) return recorder_.view();
  auto view = read_ring(ring_path(options.folder, options.job, rank));
  if (!view && !recorder_.shared_folder().empty()) {
    view = read_status(status_path(recorder_.shared_folder(), rank));
  }
  if (view && view->job != options.job) view.reset();
  return view;
}

}  // namespace sono
