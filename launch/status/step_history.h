#pragma once
// What a run's log.jsonl tells of its trainings so far.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

namespace sono {

// One training ("tune concat-n5-s0"), over all its starts.
struct TrainingHistory {
  std::map<std::int64_t, double> seconds;  // of each step, as last done
  std::int64_t repeated = 0;               // steps that were done again
  double begin = 0, end = 0;               // since 1970: first step's start
  std::int64_t last_step = 0;

  double useful_seconds() const;  // of all steps, each counted once
  double wall_seconds() const { return end - begin; }
  double step_seconds() const;  // a step's, over the newest; 0: none yet
};

// Steps and their time over all trainings.
struct Goodput {
  std::int64_t useful_steps = 0;
  std::int64_t repeated_steps = 0;
  double useful_seconds = 0;
  double wall_seconds = 0;  // of trainings, their restarts and waits with them
  double share() const;     // useful / wall; 0 where nothing was trained
};

// Reads what a log has got since it was read last. A line that a kill has cut
// short is passed over.
class StepHistory {
 public:
  // `batch_size`: of the training with this label.
  StepHistory(std::filesystem::path log,
              std::function<double(const std::string&)> batch_size);
  void update();

  const std::map<std::string, TrainingHistory>& trainings() const {
    return trainings_;
  }
  // Seconds that each finished stage took in its last start, by name.
  const std::map<std::string, double>& stages() const { return stages_; }
  Goodput goodput() const;

 private:
  void take(const std::string& line);

  std::filesystem::path log_;
  std::function<double(const std::string&)> batch_size_;
  std::streamoff read_ = 0;
  std::map<std::string, TrainingHistory> trainings_;
  std::map<std::string, double> stages_;
};

}  // namespace sono
