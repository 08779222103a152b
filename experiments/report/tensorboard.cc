#include "experiments/report/tensorboard.h"

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <utility>

namespace sono {
namespace {

using Events = std::map<std::string, std::vector<ScalarEvent>>;

void add_step(const nlohmann::json& line, Events& events) {
  const auto scalars = step_scalars(line);
  if (scalars.empty()) return;
  auto& run = events[line["label"].get<std::string>()];
  run.insert(run.end(), scalars.begin(), scalars.end());
}

// The mean over images and draws of each run that was tuned, beside its loss.
void add_dice(std::span<const Case> cases, Events& events) {
  struct Mean {
    double sum = 0;
    int count = 0;
    std::int64_t updates = 0;
  };
  std::set<std::string> train_cohorts;
  for (const Case& row : cases) {
    if (!row.train_cohort.empty()) train_cohorts.insert(row.train_cohort);
  }
  const auto cohort_part = [&](const Case& row) {
    return train_cohorts.size() > 1 ? "-" + row.train_cohort : std::string();
  };
  std::map<std::pair<std::string, std::string>, Mean> means;  // run, tag
  for (const Case& row : cases) {
    if (!row.dice || !row.n_real || !row.train_seed ||
        row.updates.value_or(0) == 0) {
      continue;
    }
    const std::string run = "tune " + row.arm + cohort_part(row) + "-n" +
                            std::to_string(*row.n_real) + "-s" +
                            std::to_string(*row.train_seed);
    Mean& mean = means[{run, "dice/" + row.cohort + "/" + row.prompt}];
    mean.sum += *row.dice;
    ++mean.count;
    mean.updates = *row.updates;
  }
  for (const auto& [key, mean] : means) {
    auto& run = events[key.first];
    run.push_back({run.empty() ? 0 : run.back().time, mean.updates, key.second,
                   static_cast<float>(mean.sum / mean.count)});
  }
}

}  // namespace

Events tensorboard_events(std::string_view log, std::span<const Case> cases) {
  Events events;
  std::istringstream lines{std::string(log)};
  for (std::string text; std::getline(lines, text);) {
    const auto line = nlohmann::json::parse(text, nullptr, false);
    if (line.is_object()) add_step(line, events);
  }
  add_dice(cases, events);
  return events;
}

std::string events_folder(std::string label) {
  for (char& c : label) {
    if (c == ' ' || c == '/') c = '-';
  }
  return label;
}

}  // namespace sono
