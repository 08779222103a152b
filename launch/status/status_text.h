#pragma once
// `sonoforge status`, as people read it.

#include <filesystem>
#include <string>
#include <vector>

#include "launch/status/job_history.h"
#include "launch/status/run_progress.h"

namespace sono {

struct RunStatus {
  std::filesystem::path run;
  std::vector<StageProgress> stages;
  std::vector<JobHistory> jobs;  // none where nothing was submitted
  std::string queue_trouble;     // why the queue could not be asked
  Goodput goodput;

  bool finished() const;  // every stage is
};

std::string status_text(const RunStatus& status);

}  // namespace sono
