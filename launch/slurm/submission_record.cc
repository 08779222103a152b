#include "launch/slurm/submission_record.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "launch/slurm/batch_script.h"

namespace sono {
namespace {

std::filesystem::path record_file(const std::filesystem::path& run) {
  return slurm_folder(run) / "submission.json";
}

}  // namespace

std::vector<SubmittedJob> read_submission(const std::filesystem::path& run) {
  const auto file = record_file(run);
  if (!std::filesystem::exists(file)) return {};
  std::vector<SubmittedJob> jobs;
  try {
    const auto record = nlohmann::json::parse(read_file(file));
    for (const auto& job : record.at("jobs")) {
      jobs.push_back({job.at("name"), job.at("id"), job.at("workers")});
    }
  } catch (const nlohmann::json::exception&) {
    throw DataError(file.string() +
                    ": damaged; see with squeue that none of the run's jobs is "
                    "left, then remove it");
  }
  return jobs;
}

void write_submission(const std::filesystem::path& run,
                      const std::vector<SubmittedJob>& jobs) {
  nlohmann::json list = nlohmann::json::array();
  for (const SubmittedJob& job : jobs) {
    list.push_back(
        {{"name", job.name}, {"id", job.id}, {"workers", job.workers}});
  }
  const nlohmann::json record = {{"jobs", list}};
  write_file_atomic(record_file(run), record.dump(1) + "\n");
}

SubmissionLock::SubmissionLock(const std::filesystem::path& run) {
  const auto file = slurm_folder(run) / "lock";
  fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0) throw_file_error(file, "open", errno);
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
  const int why = errno;
  ::close(fd_);
  if (why != EWOULDBLOCK) throw_file_error(file, "lock", why);
  throw ConfigError(run.string() +
                    ": is being submitted by another process just now; look "
                    "with `sonoforge status` what came of it");
}

SubmissionLock::~SubmissionLock() { ::close(fd_); }

}  // namespace sono
