#pragma once
// One thread that does communication in order, beside the thread that computes.
//
// While the computing thread has work of its own, the communicator waits
// politely, with short sleeps; once that thread waits here, it spins.

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "dist/communicator.h"

namespace sono {

class CommThread {
 public:
  // Nobody else uses `comm` while jobs are under way.
  explicit CommThread(Communicator& comm);
  // Waits for the job under way; later ones are dropped.
  ~CommThread();
  CommThread(const CommThread&) = delete;
  CommThread& operator=(const CommThread&) = delete;

  void post(std::function<void()> job);
  // Until every job posted has ended. Rethrows the first error; the jobs
  // behind it were dropped.
  void wait();

 private:
  void run();

  Communicator& comm_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;  // the front one is under way
  std::exception_ptr error_;
  bool ending_ = false;
  std::thread thread_;  // last: starts when all else is made
};

}  // namespace sono
