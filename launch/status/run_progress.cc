#include "launch/status/run_progress.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "experiments/run_folder.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// Files that come and go, or are not whole.
bool is_passing(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with(".") || path.extension() == ".lease";
}

// The files in a folder, with when the first and the last of them were made.
struct Counted {
  std::int64_t files = 0;
  fs::file_time_type first = fs::file_time_type::max();
  fs::file_time_type last = fs::file_time_type::min();

  // Of all workers together, at work since `begin`; 0: not known.
  double seconds_each(fs::file_time_type begin) const {
    if (files == 0 || begin >= last) return 0;
    const std::chrono::duration<double> span = last - begin;
    return span.count() / static_cast<double>(files);
  }
};

// Others may remove files meanwhile.
template <class Fits>
Counted count_files(const fs::path& folder, Fits fits) {
  Counted counted;
  std::error_code gone;
  for (fs::directory_iterator entry(folder, gone), end; entry != end;
       entry.increment(gone)) {
    if (is_passing(entry->path()) || !fits(entry->path())) continue;
    const auto time = entry->last_write_time(gone);
    if (gone) continue;
    ++counted.files;
    counted.first = std::min(counted.first, time);
    counted.last = std::max(counted.last, time);
  }
  return counted;
}

// The newest folder NAME-<12 digits>.
fs::path stage_folder(const fs::path& run, const std::string& name) {
  constexpr std::size_t kKeyLength = 12;
  fs::path newest;
  fs::file_time_type time = fs::file_time_type::min();
  std::error_code gone;
  for (fs::directory_iterator entry(run / "stages", gone), end; entry != end;
       entry.increment(gone)) {
    const std::string folder = entry->path().filename().string();
    if (folder.size() != name.size() + 1 + kKeyLength ||
        !folder.starts_with(name + "-")) {
      continue;
    }
    const auto written = entry->last_write_time(gone);
    if (!gone && written >= time) {
      time = written;
      newest = entry->path();
    }
  }
  return newest;
}

bool is_training(Work work) {
  return work == Work::kPretrain || work == Work::kAdapt || work == Work::kTune;
}

// "tune-concat-n5-s0" trains as "tune concat-n5-s0".
std::string training_label(std::string name) {
  const auto dash = name.find('-');
  if (dash != std::string::npos) name[dash] = ' ';
  return name;
}

void look_at_training(const StepHistory& history, StageProgress& stage) {
  stage.unit = "step";
  const auto found = history.trainings().find(training_label(stage.name));
  if (found == history.trainings().end()) return;
  stage.done = std::min(found->second.last_step, stage.total);
  stage.seconds_each = found->second.step_seconds();
}

// Shards whose entries stand, by whomever they were made.
void look_at_dataset(const fs::path& folder, std::int64_t samples_per_shard,
                     StageProgress& stage) {
  stage.unit = "pair";
  const Counted shards = count_files(folder, [](const fs::path& path) {
    return path.extension() == ".json" &&
           path.filename().string().starts_with("shard-");
  });
  const auto each = static_cast<double>(samples_per_shard);
  stage.done = std::min(shards.files * samples_per_shard, stage.total);
  std::error_code gone;
  const auto begin = fs::last_write_time(folder / "plan.json", gone);
  if (!gone) stage.seconds_each = shards.seconds_each(begin) / each;
}

// When the last stage that was finished before `time` was.
fs::file_time_type finished_before(const fs::path& run,
                                   fs::file_time_type time) {
  fs::file_time_type newest = fs::file_time_type::min();
  std::error_code gone;
  for (fs::directory_iterator entry(run / "stages", gone), end; entry != end;
       entry.increment(gone)) {
    std::error_code none;
    const auto written =
        fs::last_write_time(entry->path() / "stage.json", none);
    if (!none && written <= time) newest = std::max(newest, written);
  }
  return newest;
}

void look_at_cells(const fs::path& run, const Plan& plan,
                   StageProgress& stage) {
  stage.unit = "cell";
  stage.total = plan.cells;
  const Counted cells = count_files(
      run / kEvaluationFolder,
      [](const fs::path& path) { return path.extension() == ".csv"; });
  stage.done = std::min(cells.files, stage.total);
  const auto begin = finished_before(run, cells.first);
  if (begin > fs::file_time_type::min()) {
    stage.seconds_each = cells.seconds_each(begin);
  }
  stage.begun = stage.done > 0;
  stage.finished = stage.done == stage.total;
}

// Seconds an item takes where that is not seen in the stage itself: as long as
// in the stages of its kind.
double rate_of_kind(const std::vector<StageProgress>& stages, Work work) {
  double sum = 0;
  int count = 0;
  for (const StageProgress& stage : stages) {
    if (stage.work != work || stage.seconds_each <= 0) continue;
    sum += stage.seconds_each;
    ++count;
  }
  return count == 0 ? 0 : sum / count;
}

// The number at the end of "step-00000012".
std::int64_t step_of(const std::string& name) {
  std::int64_t step = 0;
  const auto digits = name.find_last_not_of("0123456789") + 1;
  std::from_chars(name.data() + digits, name.data() + name.size(), step);
  return step;
}

// Whole files below a folder; checkpoints count by their steps.
struct FolderSum {
  std::int64_t files = 0, bytes = 0, steps = 0;

  void add(const fs::path& folder) {
    std::error_code gone;
    for (fs::recursive_directory_iterator entry(folder, gone), end;
         entry != end; entry.increment(gone)) {
      const fs::path& path = entry->path();
      const std::string name = path.filename().string();
      if (is_passing(path) || name.starts_with("step-")) {
        if (entry->is_directory(gone)) entry.disable_recursion_pending();
        if (fs::exists(path / "manifest.json")) {
          steps = std::max(steps, step_of(name));
        }
      } else if (entry->is_regular_file(gone)) {
        const auto size = entry->file_size(gone);
        if (gone) continue;
        ++files;
        bytes += static_cast<std::int64_t>(size);
      }
    }
  }
};

}  // namespace

std::vector<StageProgress> look_at_stages(const fs::path& run,
                                          const Recipe& recipe,
                                          const Plan& plan,
                                          const StepHistory& history) {
  std::vector<StageProgress> stages;
  for (const PlannedStage& planned : plan.stages) {
    StageProgress stage;
    stage.name = planned.name;
    stage.work = planned.work;
    stage.total = planned.items;
    const fs::path folder = stage_folder(run, planned.name);
    stage.begun = !folder.empty();
    stage.finished = stage.begun && fs::exists(folder / "stage.json");
    if (is_training(planned.work)) {
      look_at_training(history, stage);
    } else if (planned.work == Work::kGenerate) {
      look_at_dataset(folder / "dataset", recipe.generate.samples_per_shard,
                      stage);
    } else if (planned.work == Work::kEvaluate) {
      look_at_cells(run, plan, stage);
    }
    if (stage.finished) stage.done = stage.total;
    stages.push_back(stage);
  }
  return stages;
}

TimeLeft time_left(const std::vector<StageProgress>& stages) {
  TimeLeft left;
  double sum = 0;
  for (const StageProgress& stage : stages) {
    if (stage.finished || stage.unit.empty()) continue;
    const double each = stage.seconds_each > 0
                            ? stage.seconds_each
                            : rate_of_kind(stages, stage.work);
    if (each <= 0) {
      left.unknown = stage.name;
      return left;
    }
    sum += each * static_cast<double>(stage.total - stage.done);
  }
  left.seconds = sum;
  return left;
}

std::string progress_mark(const fs::path& run) {
  std::int64_t finished = 0, steps = 0, files = 0;
  std::error_code gone;
  for (fs::directory_iterator entry(run / "stages", gone), end; entry != end;
       entry.increment(gone)) {
    if (fs::exists(entry->path() / "stage.json")) {
      ++finished;
      continue;
    }
    FolderSum sum;
    sum.add(entry->path());
    steps += sum.steps;
    files += sum.files;
  }
  FolderSum cells, cache;
  cells.add(run / kEvaluationFolder);
  cache.add(run / "cache");
  return "stages=" + std::to_string(finished) +
         ",steps=" + std::to_string(steps) + ",files=" + std::to_string(files) +
         ",cells=" + std::to_string(cells.files) +
         ",cached=" + std::to_string(cache.bytes);
}

}  // namespace sono
