#include "dist/reducer/comm_thread.h"

#include <utility>

namespace sono {

CommThread::CommThread(Communicator& comm)
    : comm_(comm), thread_([this] { run(); }) {}

CommThread::~CommThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  comm_.set_hurry(true);
  changed_.notify_all();
  thread_.join();
}

void CommThread::post(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  if (error_) return;
  comm_.set_hurry(false);
  jobs_.push_back(std::move(job));
  changed_.notify_all();
}

void CommThread::wait() {
  comm_.set_hurry(true);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return jobs_.empty(); });
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void CommThread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ending_ || !jobs_.empty(); });
    if (ending_) return;
    const auto job = std::move(jobs_.front());
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
    } else {
      jobs_.pop_front();
    }
    changed_.notify_all();
  }
}

}  // namespace sono
