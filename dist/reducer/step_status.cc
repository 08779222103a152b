#include "dist/reducer/step_status.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "dist/reducer/lane_tree.h"

namespace sono {
namespace {

// The numbers of a report, then of the lanes.
std::vector<double> numbers_of(const StepStatus& status) {
  std::vector<double> numbers = {status.report.vote ? 1.0 : 0.0};
  numbers.insert(numbers.end(), status.report.times.begin(),
                 status.report.times.end());
  numbers.insert(numbers.end(), status.lane_scalars.begin(),
                 status.lane_scalars.end());
  return numbers;
}

at::Tensor pack(const StepStatus& status) {
  const std::vector<double> numbers = numbers_of(status);
  const std::size_t bytes = numbers.size() * sizeof(double);
  at::Tensor packed = at::empty(
      {static_cast<std::int64_t>(bytes + status.arrived.size())}, at::kByte);
  auto* data = packed.data_ptr<std::uint8_t>();
  std::memcpy(data, numbers.data(), bytes);
  std::copy(status.arrived.begin(), status.arrived.end(), data + bytes);
  return packed;
}

// The inverse, for a rank that ran `num_lane_scalars` numbers' worth of lanes.
StepStatus unpack(const at::Tensor& packed, std::size_t num_lane_scalars,
                  std::size_t num_entries) {
  StepStatus status;
  const std::size_t head = 1 + RankReport::kNumTimes;
  std::vector<double> numbers(head + num_lane_scalars);
  const auto* data = packed.const_data_ptr<std::uint8_t>();
  std::memcpy(numbers.data(), data, numbers.size() * sizeof(double));
  status.report.vote = numbers[0] != 0;
  std::copy_n(numbers.begin() + 1, RankReport::kNumTimes,
              status.report.times.begin());
  status.lane_scalars.assign(numbers.begin() + head, numbers.end());
  const auto* flags = data + numbers.size() * sizeof(double);
  status.arrived.assign(flags, flags + num_entries);
  return status;
}

// Every rank's status, in rank order.
std::vector<StepStatus> gather(Communicator& comm, const Layout& layout,
                               const LaneSplit& split, int num_scalars,
                               const StepStatus& mine) {
  const int n = comm.world_size();
  const std::size_t num_entries = layout.entries().size();
  const auto device = comm.device_type();
  const auto lane_scalars = [&](int r) {
    return split.lanes_of(r).size() * num_scalars;
  };
  SONO_CHECK_EQ(mine.lane_scalars.size(), lane_scalars(comm.rank()));
  std::vector<at::Tensor> receive;
  for (int r = 0; r < n; ++r) {
    const std::size_t numbers = 1 + RankReport::kNumTimes + lane_scalars(r);
    const auto bytes =
        static_cast<std::int64_t>(numbers * sizeof(double) + num_entries);
    receive.push_back(at::empty(
        {bytes}, at::TensorOptions().dtype(at::kByte).device(device)));
  }
  comm.exchange(std::vector<at::Tensor>(n, pack(mine).to(device)), receive,
                "step status");
  std::vector<StepStatus> all;
  for (int r = 0; r < n; ++r) {
    all.push_back(
        unpack(receive[r].to(at::kCPU), lane_scalars(r), num_entries));
  }
  return all;
}

void check_arrived(const Layout& layout, const std::vector<StepStatus>& all) {
  for (std::size_t i = 0; i < layout.entries().size(); ++i) {
    const bool seen = std::any_of(
        all.begin(), all.end(),
        [&](const StepStatus& status) { return status.arrived[i] != 0; });
    SONO_CHECK(seen, "no gradient arrived for parameter "
                         << layout.entries()[i].name
                         << ": the loss does not depend on it in any lane");
  }
}

// The sum of scalar `index` over all lanes, along the tree.
double tree_sum(const LaneSplit& split, const std::vector<StepStatus>& all,
                int index, int num_scalars) {
  std::vector<double> values(split.num_lanes());
  for (std::size_t r = 0; r < all.size(); ++r) {
    const auto lanes = split.lanes_of(static_cast<int>(r));
    for (std::size_t j = 0; j < lanes.size(); ++j) {
      values[lanes[j]] = all[r].lane_scalars[j * num_scalars + index];
    }
  }
  LaneTree<double> tree(split.num_lanes());
  for (int lane = 0; lane < split.num_lanes(); ++lane) {
    tree.push({0, lane, values[lane]},
              [](double& left, double right) { left += right; });
  }
  return tree.nodes().front().sum;
}

}  // namespace

bool StepSums::any_vote() const {
  return std::any_of(ranks.begin(), ranks.end(),
                     [](const RankReport& report) { return report.vote; });
}

StepSums exchange_status(Communicator& comm, const Layout& layout,
                         const LaneSplit& split, int num_scalars,
                         const StepStatus& mine) {
  const auto all = gather(comm, layout, split, num_scalars, mine);
  check_arrived(layout, all);
  StepSums sums;
  for (const StepStatus& status : all) sums.ranks.push_back(status.report);
  for (int i = 0; i < num_scalars; ++i) {
    sums.scalars.push_back(tree_sum(split, all, i, num_scalars));
  }
  return sums;
}

}  // namespace sono
