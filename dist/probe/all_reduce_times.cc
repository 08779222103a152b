#include "dist/probe/all_reduce_times.h"

#include <algorithm>
#include <chrono>

namespace sono {
namespace {

constexpr int kBatches = 5;
constexpr int kMostCalls = 2000;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

// A number of rank 0, on every rank.
double from_rank_zero(Communicator& comm, double value) {
  at::Tensor shared = at::full(
      {1}, value,
      at::TensorOptions().dtype(at::kDouble).device(comm.device_type()));
  comm.broadcast(shared);
  return shared.item<double>();
}

double seconds_a_call(Communicator& comm, const at::Tensor& tensor, int calls) {
  comm.barrier();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) comm.all_reduce(tensor);
  return seconds_since(start) / calls;
}

// Ranks add 1, 2, ..., n to a constant pattern: exact in fp32.
bool sums_are_right(Communicator& comm, const at::Tensor& tensor) {
  const int n = comm.world_size();
  at::Tensor values = tensor;
  values.fill_(comm.rank() + 1);
  comm.all_reduce(values);
  const bool right = (values == n * (n + 1) / 2).all().item<bool>();
  at::Tensor wrong = at::full(
      {1}, right ? 0.0 : 1.0,
      at::TensorOptions().dtype(at::kDouble).device(comm.device_type()));
  comm.all_reduce(wrong);
  return wrong.item<double>() == 0;
}

AllReduceTime time_size(Communicator& comm, std::int64_t bytes,
                        double seconds) {
  const at::Tensor tensor = at::zeros(
      {bytes / 4},
      at::TensorOptions().dtype(at::kFloat).device(comm.device_type()));
  const double first =
      from_rank_zero(comm, seconds_a_call(comm, tensor, /*calls=*/2));
  const int calls = static_cast<int>(std::clamp(
      seconds / kBatches / std::max(first, 1e-9), 1.0, kMostCalls + 0.0));
  std::vector<double> batches;
  for (int i = 0; i < kBatches; ++i) {
    batches.push_back(seconds_a_call(comm, tensor, calls));
  }
  std::sort(batches.begin(), batches.end());
  return {comm.world_size(), bytes, from_rank_zero(comm, batches[kBatches / 2]),
          sums_are_right(comm, tensor)};
}

}  // namespace

double algorithm_bandwidth(const AllReduceTime& time) {
  return static_cast<double>(time.bytes) / time.seconds;
}

double bus_bandwidth(const AllReduceTime& time) {
  return algorithm_bandwidth(time) * 2 * (time.ranks - 1) / time.ranks;
}

std::vector<AllReduceTime> time_all_reduce(
    Communicator& comm, const std::vector<std::int64_t>& sizes,
    double seconds_each) {
  const at::NoGradGuard no_grad;
  std::vector<AllReduceTime> times;
  for (const std::int64_t bytes : sizes) {
    times.push_back(time_size(comm, bytes, seconds_each));
  }
  return times;
}

}  // namespace sono
