#pragma once
// Ranks as threads of one process. Used by tests, by --local-ranks and, with
// one rank, by a program that was started alone.

#include <functional>
#include <memory>
#include <string>

#include "dist/communicator.h"

namespace sono {

class LocalGroup;

// One rank of a LocalGroup; made by run_local_ranks or make_single_rank.
class LocalCommunicator : public Communicator {
 public:
  LocalCommunicator(std::shared_ptr<LocalGroup> group, int rank);
  int rank() const override { return rank_; }
  int world_size() const override;
  std::string_view backend() const override { return "local"; }
  void abandon() override;
  std::unique_ptr<Communicator> duplicate(double deadline_seconds) override;

 protected:
  void do_exchange(const std::vector<at::Tensor>& send,
                   const std::vector<at::Tensor>& receive,
                   std::string_view operation) override;
  std::unique_ptr<Communicator> do_split(const std::vector<int>& members,
                                         int index, int color,
                                         double deadline_seconds) override;

 private:
  std::shared_ptr<LocalGroup> group_;
  int rank_;
};

// Runs body(communicator) on `num_ranks` threads and waits for all. When a rank
// throws, the others get a CommError at their next exchange, and the first
// error is rethrown here. Waiting in one exchange for more than
// `deadline_seconds` is a CommError that names the missing ranks.
// The body sets its own number of LibTorch threads.
void run_local_ranks(int num_ranks,
                     const std::function<void(Communicator&)>& body,
                     double deadline_seconds = 600);

// A world of one; moves nothing, on any device.
std::unique_ptr<Communicator> make_single_rank();

}  // namespace sono
