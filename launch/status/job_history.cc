#include "launch/status/job_history.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "launch/slurm/batch_script.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// What job.sh has written of one element.
struct Element {
  bool started = false;
  int restarts = 0;
  std::string last_event;
  int code = 0;
};

Element read_element(const fs::path& file) {
  Element element;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const auto record = nlohmann::json::parse(line, nullptr, false);
    if (!record.is_object()) continue;
    element.last_event = record.value("event", "");
    element.code = record.value("code", 0);
    if (element.last_event == "start") {
      element.started = true;
      element.restarts = std::max(element.restarts, record.value("restart", 0));
    }
  }
  return element;
}

// Slurm may bring such a start back by itself.
bool may_return(int code) { return code == 75 || code == 4 || code > 128; }

void add_element(const Element& element, const std::string& name,
                 JobHistory& history) {
  if (!element.started) return;
  ++history.started;
  history.restarts += element.restarts;
  if (element.last_event != "end") return;
  if (element.code == 0) {
    ++history.done;
  } else if (history.queued.empty() || !may_return(element.code)) {
    history.failed.push_back(name + " ended with code " +
                             std::to_string(element.code));
  }
}

// Number of elements in a line of the queue: "12_[4-7,9]" holds five.
int elements_of(const std::string& id) {
  const auto open = id.find('[');
  if (open == std::string::npos) return 1;
  int count = 0;
  const std::string list =
      id.substr(open + 1, id.find_first_of("]%") - open - 1);
  for (std::size_t at = 0; at < list.size();) {
    const auto comma = std::min(list.find(',', at), list.size());
    const std::string part = list.substr(at, comma - at);
    const auto dash = part.find('-');
    count += dash == std::string::npos ? 1
                                       : std::atoi(part.c_str() + dash + 1) -
                                             std::atoi(part.c_str()) + 1;
    at = comma + 1;
  }
  return count;
}

std::string queue_text(const JobHistory& history) {
  if (history.job.workers == 0) {
    const QueuedJob& job = history.queued.front();
    if (job.state != "RUNNING") return job.state + " " + job.reason;
    return "RUNNING for " + job.time + " of " + job.limit + " on " + job.reason;
  }
  std::map<std::string, int> states;
  for (const QueuedJob& job : history.queued) {
    states[job.state] += elements_of(job.id);
  }
  std::string text;
  for (const auto& [state, count] : states) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + state;
  }
  return text;
}

}  // namespace

std::string state_text(const JobHistory& history) {
  const int elements = std::max(history.job.workers, 1);
  std::string text;
  if (!history.queued.empty()) {
    text = queue_text(history);
  } else if (history.done == elements) {
    text = "done";
  } else if (history.started == 0) {
    text = "never started";
  } else if (history.failed.empty()) {
    text = "ended from outside";
  }
  const auto add = [&](const std::string& more) {
    text += (text.empty() ? "" : ", ") + more;
  };
  if (history.job.workers > 0 && history.done > 0 && history.done < elements) {
    add(std::to_string(history.done) + " of " + std::to_string(elements) +
        " done");
  }
  for (const std::string& failure : history.failed) add(failure);
  if (history.restarts > 0) {
    add(std::to_string(history.restarts) +
        (history.restarts == 1 ? " restart" : " restarts"));
  }
  return text;
}

std::vector<JobHistory> look_at_jobs(const fs::path& run,
                                     std::string& queue_trouble) {
  const auto submitted = read_submission(run);
  std::vector<std::string> ids;
  for (const SubmittedJob& job : submitted) ids.push_back(job.id);
  std::vector<QueuedJob> queue;
  try {
    queue = queued_jobs(ids);
  } catch (const Error& error) {
    queue_trouble = error.what();
  }
  std::vector<JobHistory> histories;
  for (const SubmittedJob& job : submitted) {
    JobHistory history;
    history.job = job;
    for (const QueuedJob& queued : queue) {
      if (queued.job == job.id) history.queued.push_back(queued);
    }
    const auto add = [&](const std::string& name) {
      add_element(read_element(slurm_folder(run) / (name + ".jsonl")), name,
                  history);
    };
    if (job.workers == 0) add(job.name);
    for (int i = 0; i < job.workers; ++i) {
      add(job.name + "-" + std::to_string(i));
    }
    histories.push_back(std::move(history));
  }
  return histories;
}

}  // namespace sono
