#include "trainer/step_log.h"

#include <cstdio>
#include <fstream>
#include <map>

#include "dist/recorder/rank_files.h"

namespace sono {
StepLog::StepLog(Communicator& comm, const TrainConfig& config, JsonLines* log,
                 const std::string& label, const Telemetry& telemetry,
                 std::int64_t done)
    : log_(comm.rank() == 0 ? log : nullptr),
      batch_size_(config.batch_size),
      label_(label),
      hosts_(gather_strings(comm, host_name())),
      progress_(label, config.steps, "step", comm.rank() == 0),
      steps_(config.steps),
      metrics_(comm.rank() == 0 ? telemetry.metrics : nullptr) {
  if (comm.rank() == 0) open_events(telemetry, done);
}

// A training that goes on takes what it logged before; steps that a crash lost
// come again.
void StepLog::open_events(const Telemetry& telemetry, std::int64_t done) {
  if (telemetry.events.empty()) return;
  std::map<std::int64_t, std::vector<ScalarEvent>> steps;
  std::ifstream lines(done > 0 && log_ != nullptr ? log_->path() : "");
  for (std::string text; std::getline(lines, text);) {
    const auto line = nlohmann::json::parse(text, nullptr, false);
    if (!line.is_object() || line.value("label", "") != label_) continue;
    auto scalars = step_scalars(line);
    if (!scalars.empty() && scalars[0].step <= done) {
      steps[scalars[0].step] = std::move(scalars);
    }
  }
  std::vector<ScalarEvent> before;
  for (const auto& [step, scalars] : steps) {
    before.insert(before.end(), scalars.begin(), scalars.end());
  }
  events_.emplace(telemetry.events, before);
}

std::string StepLog::note(const StepOutcome& step) const {
  std::array<char, 192> text = {};
  const int length =
      std::snprintf(text.data(), text.size(), "loss %.4g", step.loss);
  const Straggler& slow = step.straggler;
  if (slow.ratio >= kSlow) {
    std::snprintf(text.data() + length, text.size() - length,
                  "  slowest: rank %d on %.64s, %.1fx the median (%s)",
                  slow.rank, hosts_[slow.rank].c_str(), slow.ratio,
                  slow.phase.c_str());
  }
  return text.data();
}

nlohmann::json StepLog::line(std::int64_t done, const StepOutcome& step,
                             double seconds) const {
  nlohmann::json phases = {{"step", seconds}};
  for (std::size_t i = 0; i < step.seconds.size(); ++i) {
    phases[StepTimes::kNames[i]] = step.seconds[i];
  }
  return {{"event", "step"},
          {"label", label_},
          {"step", done},
          {"loss", step.loss},
          {"norm", step.norm},
          {"lr", step.learning_rate},
          {"samples_per_s", static_cast<double>(batch_size_) / seconds},
          {"seconds", phases},
          {"slowest_rank", step.straggler.rank},
          {"slowest_host", hosts_[step.straggler.rank]},
          {"slowest_phase", step.straggler.phase},
          {"slowest_ratio", step.straggler.ratio}};
}

double StepLog::add(std::int64_t done, const StepOutcome& step) {
  const auto now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  progress_.update(done, note(step));
  if (log_ == nullptr && !events_ && metrics_ == nullptr) return seconds;
  const nlohmann::json text = line(done, step, seconds);
  if (log_ != nullptr) log_->append(text);
  show_events(text);
  show_metrics(done, step, seconds);
  return seconds;
}

void StepLog::show_events(const nlohmann::json& line) {
  if (!events_) return;
  auto scalars = step_scalars(line);
  const double time = std::chrono::duration<double>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  for (ScalarEvent& scalar : scalars) scalar.time = time;
  events_->add(scalars);
}

void StepLog::count_step(const StepOutcome& step, double seconds) {
  const auto count = [&](const char* name, const char* help, double more,
                         const MetricsFile::Labels& labels = {}) {
    MetricsFile::Labels all = {{"training", label_}};
    all.insert(all.end(), labels.begin(), labels.end());
    metrics_->count(std::string("sonoforge_training_") + name, help, more, all);
  };
  count("steps_total", "Steps done by this process.", 1);
  count("samples_total", "Samples trained on by this process.",
        static_cast<double>(batch_size_));
  count("skipped_steps_total", "Steps without an update: not finite.",
        static_cast<double>(step.skipped - skipped_));
  skipped_ = step.skipped;
  count("seconds_total", "Seconds of steps.", seconds);
  for (std::size_t i = 0; i < step.seconds.size(); ++i) {
    count("phase_seconds_total", "Seconds of steps by phase, on rank 0.",
          step.seconds[i], {{"phase", StepTimes::kNames[i]}});
  }
}

void StepLog::show_metrics(std::int64_t done, const StepOutcome& step,
                           double seconds) {
  if (metrics_ == nullptr) return;
  count_step(step, seconds);
  const auto set = [&](const char* name, const char* help, double value) {
    metrics_->set(std::string("sonoforge_training_") + name, help, value,
                  {{"training", label_}});
  };
  set("step", "Steps done, those of earlier starts included.",
      static_cast<double>(done));
  set("steps", "Steps to do.", static_cast<double>(steps_));
  set("loss", "Loss of the last step.", step.loss);
  set("gradient_norm", "Gradient norm of the last step, before clipping.",
      step.norm);
  set("learning_rate", "Learning rate of the last step.", step.learning_rate);
  set("slowest_rank_ratio", "Own work of the slowest rank over the median's.",
      step.straggler.ratio);
  metrics_->write_if_due();
}

}  // namespace sono
