#include "dist/gradient_norm.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace sono {
namespace {

// The blocks' sums of what this rank owns.
std::vector<double> owned_squares(const Arena& arena) {
  std::vector<double> squares;
  for (const Range& range : arena.owned()) {
    const auto part = block_squares(arena.grad.view(range));
    squares.insert(squares.end(), part.begin(), part.end());
  }
  return squares;
}

// Numbers of the blocks that `rank` owns.
std::vector<std::size_t> owned_blocks(const BucketPlan& plan, int rank) {
  std::vector<std::size_t> blocks;
  for (const Range& range : plan.owned(rank)) {
    for (const Range& block : blocks_of(range)) {
      blocks.push_back(block.begin / BucketPlan::kBlock);
    }
  }
  return blocks;
}

// The sums of all blocks, in order, from their owners.
std::vector<double> gather_squares(Communicator& comm, const Arena& arena) {
  const int n = comm.world_size();
  const auto options =
      at::TensorOptions().dtype(at::kDouble).device(comm.device_type());
  const at::Tensor mine =
      at::tensor(owned_squares(arena), at::kDouble).to(options);
  std::vector<std::vector<std::size_t>> blocks;
  std::vector<at::Tensor> receive;
  for (int r = 0; r < n; ++r) {
    blocks.push_back(owned_blocks(arena.plan(), r));
    receive.push_back(at::empty({std::ssize(blocks[r])}, options));
  }
  comm.exchange(std::vector<at::Tensor>(n, mine), receive, "gradient norm");
  std::vector<double> all(blocks_of(arena.layout().all()).size());
  for (int r = 0; r < n; ++r) {
    const at::Tensor host = receive[r].to(at::kCPU);
    for (std::size_t i = 0; i < blocks[r].size(); ++i) {
      all[blocks[r][i]] = host.const_data_ptr<double>()[i];
    }
  }
  return all;
}

// In fp64 without a converted copy; eight sums side by side, added in a fixed
// order.
double sum_of_squares(const float* values, std::int64_t count) {
  constexpr int kSums = 8;
  double sums[kSums] = {};
  std::int64_t i = 0;
  for (; i + kSums <= count; i += kSums) {
    for (int k = 0; k < kSums; ++k) {
      const double value = values[i + k];
      sums[k] += value * value;
    }
  }
  for (int k = 0; i < count; ++i, ++k) {
    const double value = values[i];
    sums[k] += value * value;
  }
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
         ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

std::vector<double> block_squares_on_cpu(const at::Tensor& flat) {
  const float* values = flat.const_data_ptr<float>();
  std::vector<double> squares;
  for (std::int64_t begin = 0; begin < flat.numel();
       begin += BucketPlan::kBlock) {
    squares.push_back(sum_of_squares(
        values + begin, std::min(BucketPlan::kBlock, flat.numel() - begin)));
  }
  return squares;
}

}  // namespace

std::vector<double> block_squares(const at::Tensor& flat) {
  if (flat.is_cpu()) return block_squares_on_cpu(flat);
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> blocks;
  for (std::int64_t begin = 0; begin < flat.numel();
       begin += BucketPlan::kBlock) {
    const auto count = std::min(BucketPlan::kBlock, flat.numel() - begin);
    blocks.push_back(
        flat.narrow(0, begin, count).to(at::kDouble).square_().sum());
  }
  if (blocks.empty()) return {};
  // Brought to the host at once, so that a GPU is waited for only once.
  const at::Tensor sums = at::stack(blocks).to(at::kCPU);
  const auto* data = sums.const_data_ptr<double>();
  return {data, data + sums.numel()};
}

double gradient_norm(Communicator& comm, const Arena& arena) {
  const auto squares = arena.zero_stage() == 0 ? block_squares(arena.grad.data)
                                               : gather_squares(comm, arena);
  double total = 0;
  for (const double square : squares) total += square;
  return std::sqrt(total);
}

}  // namespace sono
