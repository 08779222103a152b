#include "dist/reducer/comm_queue.h"

#include <utility>

namespace sono {

CommQueue::CommQueue(Communicator& comm, bool threaded) : comm_(comm) {
  if (threaded && comm.world_size() > 1) {
    thread_ = std::thread([this] { run(); });
  }
}

CommQueue::~CommQueue() {
  if (!thread_.joinable()) return;
  cancel();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void CommQueue::cancel() {
  std::unique_lock lock(mutex_);
  if (jobs_.empty()) return;
  comm_.abandon();
  changed_.wait(lock, [&] { return jobs_.empty(); });
}

CommQueue::Ticket CommQueue::post(Job job) {
  if (!thread_.joinable()) {
    job();
    return 0;
  }
  const std::lock_guard lock(mutex_);
  ++posted_;
  if (error_) {
    done_ = posted_;
    return posted_;
  }
  comm_.set_hurry(false);
  jobs_.push_back(std::move(job));
  changed_.notify_all();
  return posted_;
}

void CommQueue::wait() { wait_until(posted_); }

void CommQueue::wait_for(Ticket ticket) { wait_until(ticket); }

void CommQueue::wait_until(Ticket done) {
  if (!thread_.joinable()) return;
  comm_.set_hurry(true);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return done_ >= done; });
  if (!jobs_.empty()) comm_.set_hurry(false);
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void CommQueue::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ending_ || !jobs_.empty(); });
    if (ending_) return;
    const Job job = std::move(jobs_.front());
    lock.unlock();
    std::exception_ptr error;
    try {
      job();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error) {
      error_ = error;
      jobs_.clear();
      done_ = posted_;
    } else {
      jobs_.pop_front();
      ++done_;
    }
    changed_.notify_all();
  }
}

}  // namespace sono
