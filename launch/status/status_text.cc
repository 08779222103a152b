#include "launch/status/status_text.h"

#include <algorithm>
#include <cstdio>

#include "core/progress.h"

namespace sono {
namespace {

std::string number(double value, const char* form) {
  char text[32];
  std::snprintf(text, sizeof(text), form, value);
  return text;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

std::string plural(std::int64_t count, const std::string& unit) {
  return std::to_string(count) + " " + unit + (count == 1 ? "" : "s");
}

std::string stage_text(const StageProgress& stage) {
  if (stage.finished) return "done";
  if (!stage.begun) return "to come";
  if (stage.unit.empty()) return "at work";
  std::string text =
      std::to_string(stage.done) + "/" + plural(stage.total, stage.unit);
  if (stage.seconds_each > 0 && stage.done < stage.total) {
    const double left =
        stage.seconds_each * static_cast<double>(stage.total - stage.done);
    text += ", " + number(stage.seconds_each, "%.3g") + " s each, ETA " +
            duration_text(left);
  }
  return text;
}

std::string stages_text(const RunStatus& status) {
  const auto done =
      std::count_if(status.stages.begin(), status.stages.end(),
                    [](const StageProgress& stage) { return stage.finished; });
  std::size_t width = 0;
  for (const auto& stage : status.stages) {
    width = std::max(width, stage.name.size() + 2);
  }
  std::string text = "stages: " + std::to_string(done) + " of " +
                     std::to_string(status.stages.size()) + " done\n";
  for (const StageProgress& stage : status.stages) {
    text += "  " + padded(stage.name, width) + stage_text(stage) + "\n";
  }
  return text;
}

std::string jobs_text(const RunStatus& status) {
  if (status.jobs.empty()) return "jobs: none were submitted\n";
  std::string text = "jobs:\n";
  for (const JobHistory& history : status.jobs) {
    text += "  " + padded(history.job.name, 16) + padded(history.job.id, 10) +
            state_text(history) + "\n";
  }
  if (!status.queue_trouble.empty()) {
    text += "  (" + status.queue_trouble + ")\n";
  }
  return text;
}

std::string goodput_text(const Goodput& goodput, int restarts) {
  if (goodput.useful_steps == 0) return "goodput: no step yet\n";
  return "goodput: " + number(100 * goodput.share(), "%.1f") +
         " %: " + plural(goodput.useful_steps, "useful step") + " took " +
         duration_text(goodput.useful_seconds) + " of " +
         duration_text(goodput.wall_seconds) + "; " +
         plural(goodput.repeated_steps, "step") + " done again, " +
         plural(restarts, "restart") + "\n";
}

std::string left_text(const RunStatus& status) {
  if (status.finished()) return "left: nothing\n";
  const TimeLeft left = time_left(status.stages);
  if (!left.seconds) {
    return "left: not known until " + left.unknown + " has got on a little\n";
  }
  return "left: " + duration_text(*left.seconds) +
         " of work, waiting for nodes not counted\n";
}

}  // namespace

bool RunStatus::finished() const {
  return std::all_of(stages.begin(), stages.end(),
                     [](const StageProgress& stage) { return stage.finished; });
}

std::string status_text(const RunStatus& status) {
  int restarts = 0;
  for (const JobHistory& history : status.jobs) restarts += history.restarts;
  return status.run.string() + "\n" + stages_text(status) + jobs_text(status) +
         goodput_text(status.goodput, restarts) + left_text(status);
}

}  // namespace sono
