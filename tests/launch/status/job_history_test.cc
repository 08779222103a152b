#include "launch/status/job_history.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/atomic_file.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// RUN/slurm of a submission of one step (11) and an array of three (12), and a
// stand-in for squeue.
class JobHistoryTest : public ::testing::Test {
 protected:
  JobHistoryTest() : path_(std::getenv("PATH")) {
    make_directories(folder_.path() / "slurm");
    make_directories(folder_.path() / "bin");
    write_submission(folder_.path(),
                     {{"1-generators", "11", 0}, {"2-datasets", "12", 3}});
    squeue("exit 0");
    ::setenv("PATH", ((folder_.path() / "bin").string() + ":" + path_).c_str(),
             1);
  }
  ~JobHistoryTest() override { ::setenv("PATH", path_.c_str(), 1); }

  void squeue(const std::string& body) {
    const fs::path file = folder_.path() / "bin" / "squeue";
    write_file_atomic(file, "#!/bin/sh\n" + body + "\n");
    fs::permissions(file, fs::perms::owner_all);
  }
  void record(const std::string& element, const std::string& lines) {
    write_file_atomic(folder_.path() / "slurm" / (element + ".jsonl"), lines);
  }
  std::string state(std::size_t job) {
    return state_text(look_at_jobs(folder_.path(), trouble_).at(job));
  }

  TemporaryFolder folder_;
  std::string path_, trouble_;
};

constexpr char kStart[] =
    R"({"event":"start","time":1,"job":"11","restart":0,"code":0})"
    "\n";

TEST_F(JobHistoryTest, TheQueueSpeaksFirst) {
  squeue(
      "echo '11|RUNNING|1:02|10:00|node[1-2]'\n"
      "echo '12_[1-2]|PENDING|0:00|10:00|(Dependency)'\n"
      "echo '12_0|RUNNING|0:07|10:00|node1'\necho '99|RUNNING|1|2|node3'");
  EXPECT_EQ(state(0), "RUNNING for 1:02 of 10:00 on node[1-2]");
  EXPECT_EQ(state(1), "2 PENDING, 1 RUNNING");
  squeue("echo '11|PENDING|0:00|10:00|(Resources)'");
  EXPECT_EQ(state(0), "PENDING (Resources)");
  record("1-generators",
         std::string(kStart) +
             R"({"event":"end","time":4,"job":"11","restart":0,"code":75})"
             "\n");
  EXPECT_EQ(state(0), "PENDING (Resources)");
}

TEST_F(JobHistoryTest, EndedJobsHaveLeftRecords) {
  EXPECT_EQ(state(0), "never started");
  record("1-generators", kStart);
  EXPECT_EQ(state(0), "ended from outside");
  record("1-generators",
         std::string(kStart) +
             R"({"event":"requeue","time":2,"job":"11","restart":0,"code":75})"
             "\n"
             R"({"event":"start","time":3,"job":"11","restart":1,"code":0})"
             "\n"
             R"({"event":"end","time":4,"job":"11","restart":1,"code":0})"
             "\n");
  EXPECT_EQ(state(0), "done, 1 restart");
  record("2-datasets-0",
         R"({"event":"start","time":3,"job":"13","restart":2,"code":0})"
         "\n"
         R"({"event":"end","time":4,"job":"13","restart":2,"code":3})"
         "\n");
  EXPECT_EQ(state(1), "2-datasets-0 ended with code 3, 2 restarts");
}

TEST_F(JobHistoryTest, AQueueThatCannotBeAskedIsSaid) {
  squeue("echo 'squeue: error: Unable to contact slurm' >&2; exit 1");
  EXPECT_EQ(state(0), "never started");
  EXPECT_NE(trouble_.find("Unable to contact"), std::string::npos);
  trouble_.clear();
  squeue("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1");
  EXPECT_EQ(state(0), "never started");
  EXPECT_EQ(trouble_, "");
}

}  // namespace
}  // namespace sono
