#include "trainer/forecast_check.h"

#include <algorithm>
#include <cstdio>

#include "core/message.h"
#include "dist/host_share.h"

namespace sono {
namespace {

constexpr double kSecondsASize = 0.05;
constexpr std::int64_t kSmallBytes = 4096;

}  // namespace

std::vector<LinkModel> measure_link(Communicator& comm,
                                    std::int64_t bucket_bytes) {
  if (comm.world_size() == 1) return {};
  const std::int64_t large = std::max(bucket_bytes / 4 * 4, 16 * kSmallBytes);
  return {fit_link(time_all_reduce(comm, {kSmallBytes, large}, kSecondsASize))};
}

ForecastCheck::ForecastCheck(Communicator& comm, Task& task,
                             const TrainConfig& config,
                             const Telemetry& telemetry,
                             const std::string& label)
    : telemetry_(telemetry), label_(label), speaks_(comm.rank() == 0) {
  if (!telemetry.forecast || config.steps <= kSteps) return;
  const HostShare share = share_of_host(comm);
  const StepCost cost = measure_step(
      comm, task, config, {/*repeats=*/3, share.cores, share.ranks_here});
  const auto links = measure_link(
      comm,
      std::min(4 * cost.layout.size(), config.dist.bucket_options().bytes));
  forecast_ = forecast_step(cost, config, links,
                            {comm.world_size(), share.most_ranks, share.cores});
  if (speaks_) {
    log_info(label + ": predicts a step of " + forecast_->text() +
             ", at most " + std::to_string(forecast_->memory_bytes / 1000000) +
             " MB resident a rank");
  }
}

void ForecastCheck::add(double seconds) {
  if (!forecast_) return;
  seconds_.push_back(seconds);
  // The first step also allocates.
  if (std::ssize(seconds_) == kSteps + 1) report();
}

void ForecastCheck::report() {
  std::vector<double> steps(seconds_.begin() + 1, seconds_.end());
  std::nth_element(steps.begin(), steps.begin() + kSteps / 2, steps.end());
  const double measured = steps[kSteps / 2];
  if (!speaks_) return;
  char text[160];
  std::snprintf(text, sizeof(text),
                ": a step took %.4g s (median of %d), predicted were %.4g s: "
                "predicted / measured %.2f",
                measured, static_cast<int>(kSteps), forecast_->seconds(),
                forecast_->seconds() / measured);
  log_info(label_ + text);
  if (!telemetry_.on_forecast) return;
  telemetry_.on_forecast({{"training", label_},
                          {"ranks", forecast_->ranks},
                          {"predicted_seconds", forecast_->seconds()},
                          {"compute_seconds", forecast_->compute},
                          {"communication_seconds", forecast_->communication},
                          {"hidden_seconds", forecast_->hidden},
                          {"update_seconds", forecast_->update},
                          {"memory_bytes", forecast_->memory_bytes},
                          {"measured_seconds", measured},
                          {"steps", kSteps}});
}

}  // namespace sono
