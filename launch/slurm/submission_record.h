#pragma once
// What was submitted for a run: RUN/slurm/submission.json.

#include <filesystem>
#include <string>
#include <vector>

namespace sono {

struct SubmittedJob {
  std::string name;  // "2-datasets"
  std::string id;    // Slurm's
  int workers = 0;   // elements of an array; 0: one step
};

// Empty where nothing was submitted. DataError naming a damaged file.
std::vector<SubmittedJob> read_submission(const std::filesystem::path& run);
void write_submission(const std::filesystem::path& run,
                      const std::vector<SubmittedJob>& jobs);

// Held while a run is submitted. ConfigError while another process holds it;
// free again when its holder ends, however that is.
class SubmissionLock {
 public:
  explicit SubmissionLock(const std::filesystem::path& run);
  ~SubmissionLock();
  SubmissionLock(const SubmissionLock&) = delete;
  SubmissionLock& operator=(const SubmissionLock&) = delete;

 private:
  int fd_;
};

}  // namespace sono
