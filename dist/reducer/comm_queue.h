#pragma once
// Communication in order, on a second thread beside the one that computes, or
// at once where there is none.
//
// While the computing thread has work of its own, the communicator waits
// politely, with short sleeps; once that thread waits here, it spins.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "dist/communicator.h"

namespace sono {

class CommQueue {
 public:
  using Job = std::function<void()>;
  using Ticket = std::uint64_t;

  // Nobody else uses `comm` while jobs are under way. A single rank gets no
  // thread.
  CommQueue(Communicator& comm, bool threaded);
  ~CommQueue();  // cancels
  CommQueue(const CommQueue&) = delete;
  CommQueue& operator=(const CommQueue&) = delete;

  Communicator& comm() { return comm_; }

  // All ranks must post the same jobs in the same order.
  Ticket post(Job job);
  // Until every job posted has ended. Rethrows the first error; the jobs
  // behind it were dropped.
  void wait();
  // Until this one has ended; likewise.
  void wait_for(Ticket ticket);
  // Ends a job under way by abandoning the communicator and drops the others;
  // for whoever owns what jobs refer to, before it goes. Nothing to do when all
  // have ended.
  void cancel();

 private:
  void run();
  void wait_until(Ticket done);

  Communicator& comm_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Job> jobs_;  // the front one is under way
  Ticket posted_ = 0;
  Ticket done_ = 0;  // or dropped
  std::exception_ptr error_;
  bool ending_ = false;
  std::thread thread_;  // last: starts when all else is made
};

}  // namespace sono
