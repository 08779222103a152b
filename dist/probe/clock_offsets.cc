#include "dist/probe/clock_offsets.h"

#include <chrono>
#include <limits>

namespace sono {
namespace {

constexpr int kRounds = 16;

double wall_seconds() {
  return std::chrono::duration<double>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Moves `tensor` from one rank to another; the others pass.
void deliver(Communicator& comm, int from, int to, const at::Tensor& tensor) {
  const int n = comm.world_size();
  std::vector<at::Tensor> send(n), receive(n);
  if (comm.rank() == from) send[to] = tensor;
  if (comm.rank() == to) receive[from] = tensor;
  comm.exchange(send, receive, "clock probe");
}

ClockOffset offset_of(Communicator& comm, int rank) {
  at::Tensor time = at::zeros(
      {1}, at::TensorOptions().dtype(at::kDouble).device(comm.device_type()));
  ClockOffset best{0, std::numeric_limits<double>::max()};
  comm.barrier();
  for (int i = 0; i < kRounds; ++i) {
    const double sent = wall_seconds();
    deliver(comm, 0, rank, time);
    if (comm.rank() == rank) time.fill_(wall_seconds());
    deliver(comm, rank, 0, time);
    const double returned = wall_seconds();
    const double half = (returned - sent) / 2;
    if (half < best.within) {
      best = {time.item<double>() - (sent + half), half};
    }
  }
  return best;  // of use on rank 0
}

}  // namespace

std::vector<ClockOffset> clock_offsets(Communicator& comm) {
  const int n = comm.world_size();
  at::Tensor all = at::zeros({n, 2}, at::kDouble);
  for (int r = 1; r < n; ++r) {
    const ClockOffset offset = offset_of(comm, r);
    all[r][0] = offset.seconds;
    all[r][1] = offset.within;
  }
  all = all.to(comm.device_type());
  comm.broadcast(all);
  const at::Tensor host = all.to(at::kCPU);
  std::vector<ClockOffset> offsets;
  for (int r = 0; r < n; ++r) {
    offsets.push_back({host[r][0].item<double>(), host[r][1].item<double>()});
  }
  return offsets;
}

}  // namespace sono
