#include "launch/status/step_history.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

namespace sono {
namespace {

constexpr int kNewestSteps = 20;

void add_step(TrainingHistory& training, std::int64_t step, double time,
              double seconds) {
  if (training.seconds.empty()) training.begin = time - seconds;
  if (!training.seconds.insert_or_assign(step, seconds).second) {
    ++training.repeated;
  }
  training.end = std::max(training.end, time);
  training.last_step = step;
}

}  // namespace

double TrainingHistory::useful_seconds() const {
  double sum = 0;
  for (const auto& [step, value] : seconds) sum += value;
  return sum;
}

double TrainingHistory::step_seconds() const {
  double sum = 0;
  int count = 0;
  for (auto entry = seconds.rbegin();
       entry != seconds.rend() && count < kNewestSteps; ++entry, ++count) {
    sum += entry->second;
  }
  return count == 0 ? 0 : sum / count;
}

double Goodput::share() const {
  return wall_seconds > 0 ? useful_seconds / wall_seconds : 0;
}

StepHistory::StepHistory(std::filesystem::path log,
                         std::function<double(const std::string&)> batch_size)
    : log_(std::move(log)), batch_size_(std::move(batch_size)) {}

void StepHistory::update() {
  std::ifstream file(log_, std::ios::binary);
  file.seekg(read_);
  for (std::string line; std::getline(file, line);) {
    if (file.eof()) return;  // not at its end yet
    read_ = file.tellg();
    take(line);
  }
}

void StepHistory::take(const std::string& line) {
  const auto entry = nlohmann::json::parse(line, nullptr, false);
  if (!entry.is_object()) return;
  try {
    const std::string event = entry.at("event");
    if (event == "stage") {
      stages_[entry.at("stage")] = entry.at("seconds").get<double>();
    } else if (event == "step") {
      const std::string label = entry.at("label");
      const double rate = entry.at("samples_per_s").get<double>();
      add_step(trainings_[label], entry.at("step"), entry.at("time"),
               rate > 0 ? batch_size_(label) / rate : 0);
    }
  } catch (const nlohmann::json::exception&) {
    // Of another version of the program.
  }
}

Goodput StepHistory::goodput() const {
  Goodput sum;
  for (const auto& [label, training] : trainings_) {
    sum.useful_steps += static_cast<std::int64_t>(training.seconds.size());
    sum.repeated_steps += training.repeated;
    sum.useful_seconds += training.useful_seconds();
    sum.wall_seconds += training.wall_seconds();
  }
  return sum;
}

}  // namespace sono
