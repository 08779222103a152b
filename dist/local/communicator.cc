#include "dist/local/communicator.h"

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "core/check.h"
#include "core/error.h"
#include "dist/recorder/flight_recorder.h"

namespace sono {
namespace {

std::size_t bytes_of(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.nbytes() : 0;
}

}  // namespace

// What the ranks of one group share. An exchange has two meetings: after the
// first all send lists are posted and may be read, after the second nobody
// reads them any more.
class LocalGroup {
 public:
  LocalGroup(int size, double deadline_seconds)
      : size_(size),
        deadline_(deadline_seconds),
        posted_(size),
        met_(size),
        made_(size),
        left_(size, false) {}

  int size() const { return size_; }

  // Refused once a rank has failed: others may still read the last list.
  void post(int rank, const std::vector<at::Tensor>& send,
            std::string_view operation) {
    const std::lock_guard lock(mutex_);
    throw_if_failed(rank, operation);
    posted_[rank] = send;
  }
  const at::Tensor& sent(int from, int to) const { return posted_[from][to]; }

  // Waits until every rank is here; with a recorder no longer than it allows.
  void meet(int rank, std::string_view operation, FlightRecorder* recorder) {
    const std::chrono::duration<double> deadline(
        recorder == nullptr ? deadline_.count()
                            : recorder->wait_deadline_seconds());
    std::unique_lock lock(mutex_);
    throw_if_failed(rank, operation);
    const std::uint64_t mine = ++met_[rank];
    if (++arrived_ == size_) {
      arrived_ = 0;
      ++meetings_;
      changed_.notify_all();
      return;
    }
    const bool in_time = changed_.wait_for(lock, deadline, [&] {
      return meetings_ >= mine || failed_rank_ >= 0 || gone(mine) >= 0;
    });
    if (meetings_ >= mine) return;
    throw_if_failed(rank, operation);
    if (!in_time) throw_late(rank, mine, operation, deadline.count());
    throw CommError("rank " + std::to_string(rank) + " in " +
                    std::string(operation) + ": rank " +
                    std::to_string(gone(mine)) + " has already ended");
  }

  // The group of `size` ranks of one color that `rank` makes next; for ranks of
  // that color the n-th ones are the same.
  std::shared_ptr<LocalGroup> subgroup(int rank, int color, int size,
                                       double deadline_seconds) {
    const std::lock_guard lock(mutex_);
    auto& group = subgroups_[{made_[rank]++, color}];
    if (!group) group = std::make_shared<LocalGroup>(size, deadline_seconds);
    return group;
  }

  void leave(int rank) {
    const std::lock_guard lock(mutex_);
    left_[rank] = true;
    changed_.notify_all();
  }

  // Its error is still to come, by fail().
  void abandon(int rank) {
    const std::lock_guard lock(mutex_);
    if (failed_rank_ < 0) failed_rank_ = rank;
    changed_.notify_all();
  }

  void fail(int rank, std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    if (failed_rank_ < 0 || (failed_rank_ == rank && !error_)) {
      failed_rank_ = rank;
      error_ = error;
    }
    for (const auto& [key, group] : subgroups_) group->fail(rank, error);
    changed_.notify_all();
  }

  std::exception_ptr error() const { return error_; }

 private:
  void throw_if_failed(int rank, std::string_view operation) const {
    if (failed_rank_ < 0) return;
    throw CommError("rank " + std::to_string(rank) + " in " +
                    std::string(operation) + ": rank " +
                    std::to_string(failed_rank_) + " has failed");
  }

  // A rank that ended before the meeting numbered `mine`; -1 when none.
  int gone(std::uint64_t mine) const {
    for (int r = 0; r < size_; ++r) {
      if (left_[r] && met_[r] < mine) return r;
    }
    return -1;
  }

  [[noreturn]] void throw_late(int rank, std::uint64_t mine,
                               std::string_view operation,
                               double seconds) const {
    std::string missing;
    for (int r = 0; r < size_; ++r) {
      if (met_[r] < mine) missing += " " + std::to_string(r);
    }
    throw CommError("rank " + std::to_string(rank) + " waited " +
                    std::to_string(seconds) + " s in " +
                    std::string(operation) + " for rank" + missing);
  }

  const int size_;
  const std::chrono::duration<double> deadline_;
  // Written between meetings by the owning rank alone.
  std::vector<std::vector<at::Tensor>> posted_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<std::uint64_t> met_;  // meetings entered, by rank
  std::vector<std::size_t> made_;   // subgroups made, by rank
  // By number and color.
  std::map<std::pair<std::size_t, int>, std::shared_ptr<LocalGroup>> subgroups_;
  std::vector<bool> left_;
  std::uint64_t meetings_ = 0;  // meetings completed
  int arrived_ = 0;
  int failed_rank_ = -1;
  std::exception_ptr error_;
};

namespace {

// Ends its part in the group when destroyed; a rank that fails is known to the
// group it was made from.
class LocalSubgroup : public LocalCommunicator {
 public:
  LocalSubgroup(std::shared_ptr<LocalGroup> group, int rank)
      : LocalCommunicator(group, rank), subgroup_(std::move(group)) {}
  ~LocalSubgroup() override {
    if (std::uncaught_exceptions() == 0) subgroup_->leave(rank());
  }

 private:
  std::shared_ptr<LocalGroup> subgroup_;
};

}  // namespace

LocalCommunicator::LocalCommunicator(std::shared_ptr<LocalGroup> group,
                                     int rank)
    : group_(std::move(group)), rank_(rank) {}

void LocalCommunicator::abandon() {
  Communicator::abandon();
  group_->abandon(rank_);
}

int LocalCommunicator::world_size() const { return group_->size(); }

std::unique_ptr<Communicator> LocalCommunicator::duplicate(
    double deadline_seconds) {
  return std::make_unique<LocalSubgroup>(
      group_->subgroup(rank_, 0, world_size(), deadline_seconds), rank_);
}

std::unique_ptr<Communicator> LocalCommunicator::do_split(
    const std::vector<int>& members, int index, int color,
    double deadline_seconds) {
  const auto size = static_cast<int>(members.size());
  return std::make_unique<LocalSubgroup>(
      group_->subgroup(rank_, color, size, deadline_seconds), index);
}

void LocalCommunicator::do_exchange(const std::vector<at::Tensor>& send,
                                    const std::vector<at::Tensor>& receive,
                                    std::string_view operation) {
  group_->post(rank_, send, operation);
  group_->meet(rank_, operation, recorder());
  std::string mismatch;
  for (int from = 0; from < world_size(); ++from) {
    const at::Tensor& source = group_->sent(from, rank_);
    const std::size_t size = bytes_of(source);
    if (size != bytes_of(receive[from])) {
      mismatch = std::string(operation) + ": rank " + std::to_string(from) +
                 " sent " + std::to_string(size) + " bytes where rank " +
                 std::to_string(rank_) + " expected " +
                 std::to_string(bytes_of(receive[from]));
    } else if (size > 0 && source.is_cpu()) {
      std::memcpy(receive[from].data_ptr(), source.const_data_ptr(), size);
    } else if (size > 0) {
      at::Tensor(receive[from]).copy_(source);
    }
  }
  if (!mismatch.empty()) throw CommError(mismatch);
  group_->meet(rank_, operation, recorder());
}

void run_local_ranks(int num_ranks,
                     const std::function<void(Communicator&)>& body,
                     double deadline_seconds) {
  SONO_CHECK(num_ranks >= 1, "run_local_ranks with " << num_ranks << " ranks");
  const auto group = std::make_shared<LocalGroup>(num_ranks, deadline_seconds);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < num_ranks; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        LocalCommunicator comm(group, rank);
        body(comm);
        group->leave(rank);
      } catch (...) {
        group->fail(rank, std::current_exception());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (group->error()) std::rethrow_exception(group->error());
}

std::unique_ptr<Communicator> make_single_rank() {
  return std::make_unique<LocalCommunicator>(
      std::make_shared<LocalGroup>(1, 600.0), 0);
}

}  // namespace sono
