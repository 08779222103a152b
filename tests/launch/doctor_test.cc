// What doctor makes of facts, and the command as people call it.

#include <fstream>

#include "core/atomic_file.h"
#include "launch/doctor/folder_probe.h"
#include "launch/doctor/network.h"
#include "launch/doctor/rank_facts.h"
#include "tests/data/shards/temporary_folder.h"
#include "tests/dist/test_world.h"
#include "tests/launch/program.h"

namespace sono {
namespace {

bool says(const Findings& findings, Mark mark, const std::string& part) {
  for (const Finding& finding : findings.all()) {
    if (finding.mark == mark && finding.text.find(part) != std::string::npos) {
      return true;
    }
  }
  return false;
}

// What needs a hand must say what to do; failures have a code of their own.
void expect_remedies(const Findings& findings) {
  for (const Finding& finding : findings.all()) {
    const bool needs = finding.mark >= Mark::kWarning;
    EXPECT_EQ(needs, !finding.remedy.empty()) << finding.text;
    EXPECT_EQ(finding.mark == Mark::kFailure, finding.exit_code > 0);
  }
}

std::vector<RankFacts> healthy_ranks(int count) {
  std::vector<RankFacts> ranks(count);
  for (int r = 0; r < count; ++r) {
    ranks[r].host = "node" + std::to_string(r / 2);
    ranks[r].local_rank = r % 2;
    ranks[r].cpus = {0, 1, 2, 3};
    ranks[r].machine = {{"device", "cpu"}};
    ranks[r].libraries = {{"MPI", "Open MPI 4.1.4", "Open MPI 4.1.4"},
                          {"NCCL", "2.28.9", "2.28.9"}};
  }
  return ranks;
}

Findings judged(const std::vector<RankFacts>& ranks, bool gpus = false) {
  Findings findings;
  judge_ranks(ranks, {false, gpus}, findings);
  expect_remedies(findings);
  return findings;
}

TEST(DoctorRanks, HealthyOnesAreFine) {
  const Findings findings = judged(healthy_ranks(4));
  EXPECT_EQ(findings.exit_code(), 0);
  EXPECT_EQ(summary_text(findings), "all fine");
  EXPECT_TRUE(says(findings, Mark::kNote, "no NVIDIA driver"));
}

TEST(DoctorRanks, AnotherLibraryOnOneRankIsNamed) {
  auto ranks = healthy_ranks(4);
  ranks[3].libraries[1].running = "2.21.5";
  const Findings findings = judged(ranks);
  EXPECT_TRUE(says(findings, Mark::kFailure, "rank 3 on node1"));
  EXPECT_EQ(findings.exit_code(), 2);
}

TEST(DoctorRanks, AnotherVersionThanBuiltIsWarnedOf) {
  auto ranks = healthy_ranks(2);
  for (RankFacts& rank : ranks) rank.libraries[0].running = "Open MPI 5.0.1";
  const Findings findings = judged(ranks);
  EXPECT_TRUE(says(findings, Mark::kWarning, "built against Open MPI 4.1.4"));
  EXPECT_EQ(findings.exit_code(), 0);
}

TEST(DoctorRanks, AnotherKindOfMachineIsRefused) {
  auto ranks = healthy_ranks(3);
  ranks[2].machine["cpu_capability"] = "AVX512";
  EXPECT_TRUE(says(judged(ranks), Mark::kFailure, "rank 2 on node1"));
}

TEST(DoctorRanks, RanksThatShareCoresAreCounted) {
  auto ranks = healthy_ranks(4);
  ranks[0].cpus = ranks[1].cpus = {5};
  EXPECT_EQ(cores_of_host(ranks, 0), 1);
  EXPECT_EQ(cores_of_host(ranks, 2), 4);
  EXPECT_TRUE(crowded(ranks));
  EXPECT_TRUE(says(judged(ranks), Mark::kWarning, "node0: 2 ranks, 1 cores"));
  ranks = healthy_ranks(2);
  ranks[0].cpu_quota = 1.5;  // of the control group
  EXPECT_EQ(cores_of_host(ranks, 0), 1.5);
}

DeviceFacts gpus(const std::string& driver, int capability, int count) {
  DeviceFacts facts{driver, {}, ""};
  for (int i = 0; i < count; ++i) {
    facts.gpus.push_back({"Tesla", "GPU-" + std::to_string(i), capability,
                          std::int64_t{16} << 30, 0});
  }
  return facts;
}

TEST(DoctorDevices, OldDriversAndGpusAreNamed) {
  Findings findings;
  judge_devices("node0", gpus("535.104.05", 70, 1), true, findings);
  EXPECT_TRUE(says(findings, Mark::kFailure, "CUDA 13 needs 580"));
  EXPECT_TRUE(says(findings, Mark::kFailure, "Volta 7.0"));
  EXPECT_EQ(findings.exit_code(), 4);
  expect_remedies(findings);
  Findings unwanted;
  judge_devices("node0", gpus("535.104.05", 70, 1), false, unwanted);
  EXPECT_EQ(unwanted.exit_code(), 0);
  EXPECT_TRUE(says(unwanted, Mark::kWarning, "CUDA 13 needs 580"));
  Findings fit;
  judge_devices("node0", gpus("580.65.06", 90, 1), true, fit);
  EXPECT_EQ(summary_text(fit), "all fine");
}

TEST(DoctorDevices, TwoRanksOnOneGpuAreNamed) {
  auto ranks = healthy_ranks(2);
  for (RankFacts& rank : ranks) rank.devices = gpus("580.65.06", 90, 1);
  EXPECT_TRUE(says(judged(ranks, true), Mark::kFailure,
                   "rank 0 on node0 and rank 1 on node0 would share"));
  for (RankFacts& rank : ranks) rank.devices = gpus("580.65.06", 90, 2);
  EXPECT_EQ(judged(ranks, true).exit_code(), 0);
}

TEST(DoctorRanks, FactsTravelAsJson) {
  RankFacts facts = look_at_rank();
  facts.devices = gpus("580.65.06", 90, 2);
  EXPECT_EQ(to_json(facts_from_json(to_json(facts))), to_json(facts));
  EXPECT_FALSE(facts.cpus.empty());
  EXPECT_GT(facts.memory_bytes, 0);
}

TEST(DoctorNetwork, WrongSumsAndSlowLinksAreNamed) {
  NetworkFacts facts;
  facts.all_reduce = {{4, 1024, 1e-3, false}};
  Findings wrong;
  judge_network(facts, {"a", "b", "c", "d"}, false, wrong);
  EXPECT_EQ(wrong.exit_code(), 4);
  expect_remedies(wrong);
  facts.all_reduce[0].correct = true;
  facts.pairs = {{0, 1, false, 1e-5, 1e9},
                 {0, 2, false, 1e-5, 1e9},
                 {1, 2, false, 1e-5, 2e8}};
  facts.clocks = {{0, 0}, {0.001, 1e-4}, {3600, 1e-4}};
  Findings slow;
  judge_network(facts, {"a", "b", "c"}, false, slow);
  EXPECT_TRUE(says(slow, Mark::kWarning, "rank 1 on b and rank 2 on c"));
  EXPECT_TRUE(says(slow, Mark::kWarning, "the clock of c is 3600.0 s ahead"));
  EXPECT_EQ(slow.exit_code(), 0);
  expect_remedies(slow);
}

// Facts of a folder as a healthy file system gives them, for planted faults.
std::vector<FolderFacts> healthy_folder(int ranks) {
  std::vector<FolderFacts> facts(ranks);
  for (FolderFacts& rank : facts) {
    rank.seen = true;
    rank.reads = 1000;
    rank.space.type = "nfs4";
  }
  for (int round = 0; round < kRaces; ++round) {
    FolderFacts& winner = facts[round % ranks];
    winner.created.push_back(round);
    winner.linked.push_back(round);
    winner.locked.push_back(round);
  }
  return facts;
}

Findings judged(const std::vector<FolderFacts>& facts) {
  Findings findings;
  judge_folder("/shared", facts, {"a", "b"}, findings);
  expect_remedies(findings);
  return findings;
}

TEST(DoctorFolder, FaultsOfAFileSystemAreNamed) {
  EXPECT_EQ(summary_text(judged(healthy_folder(2))), "all fine");
  auto facts = healthy_folder(2);
  facts[1].seen = false;
  EXPECT_TRUE(says(judged(facts), Mark::kFailure, "not shared: rank 1 on b"));
  facts = healthy_folder(2);
  facts[1].created.push_back(0);  // as rank 0
  EXPECT_TRUE(says(judged(facts), Mark::kFailure, "O_EXCL: 1 of 20"));
  EXPECT_EQ(judged(facts).exit_code(), 4);
  facts = healthy_folder(2);
  facts[1].linked.clear();
  EXPECT_TRUE(says(judged(facts), Mark::kFailure, "hard links: 10 of 20"));
  facts = healthy_folder(2);
  facts[0].locked.clear();
  EXPECT_TRUE(says(judged(facts), Mark::kWarning, "flock: 10 of 20"));
  facts = healthy_folder(2);
  facts[1].torn = 3;
  EXPECT_TRUE(says(judged(facts), Mark::kFailure, "rank 1 on b read 3 of"));
  facts = healthy_folder(2);
  facts[1].missing = 2;
  EXPECT_TRUE(says(judged(facts), Mark::kWarning, "missing for 2 of 2000"));
  facts = healthy_folder(2);
  facts[1].delay = 3;
  EXPECT_TRUE(says(judged(facts), Mark::kWarning, "3.00 s at most (rank 1"));
  facts = healthy_folder(2);
  facts[0].clock_ahead = -3600;
  EXPECT_TRUE(says(judged(facts), Mark::kWarning, "server's clock"));
  facts = healthy_folder(2);
  facts[0].space.type = "tmpfs";
  EXPECT_TRUE(says(judged(facts), Mark::kWarning, "in memory"));
}

TEST(DoctorFolder, AFolderHereIsHealthyForThreeRanks) {
  const TemporaryFolder folder;
  run_local_ranks(3, [&](Communicator& comm) {
    FolderProbe probe;
    probe.folder = folder.path() / "shared";
    probe.bytes = 1 << 20;
    probe.seconds = 0.2;
    const auto facts = probe_folder(comm, probe);
    ASSERT_EQ(facts.size(), 3u);
    Findings findings;
    judge_folder(probe.folder, facts, {"a", "b", "c"}, findings);
    EXPECT_EQ(findings.exit_code(), 0) << findings.json().dump(1);
    EXPECT_GT(facts[1].reads, 0);
    EXPECT_GT(facts[2].write_rate, 0);
  });
  EXPECT_TRUE(std::filesystem::is_empty(folder.path() / "shared"));
}

class DoctorCommand : public ::testing::Test {
 protected:
  std::string in(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  std::string quick() const { return " --disk-mb 1 --network-mb 1 "; }
  TemporaryFolder folder_;
};

TEST_F(DoctorCommand, LooksAtThisPlaceAndWritesAFile) {
  expect_result("doctor --local-ranks 2" + quick() + "--folder '" + in("a b") +
                    "' --json " + in("doctor.json"),
                0, {"O_EXCL", "busbw", "PNG images", "libraries"});
  const auto json = nlohmann::json::parse(read_file(in("doctor.json")));
  EXPECT_EQ(json.at("exit_code"), 0);
  EXPECT_EQ(json.at("ranks").size(), 2u);
  EXPECT_EQ(json.at("folders").at(in("a b")).size(), 2u);
  EXPECT_FALSE(json.at("network").at("all_reduce").empty());
}

TEST_F(DoctorCommand, AFolderThatCannotBeIsAFailure) {
  std::ofstream(in("file")) << "x";
  expect_result("doctor" + quick() + "--folder " + in("file"), 2,
                {"X FAILED", "remedy", "exit code 2"});
}

TEST_F(DoctorCommand, ARecipeWithoutItsDataIsAFailure) {
  std::ofstream(in("r.ini")) << "[data]\ncohorts = hc18\ntrain = hc18\n";
  expect_result("doctor " + in("r.ini") + quick() + "--folder " + in("s"), 2,
                {"data.hc18", "prediction: not made"});
}

TEST_F(DoctorCommand, WrongOptionsAreRefused) {
  expect_result("doctor --disk-mb 0", 2, {"--disk-mb"});
  expect_result("doctor a b", 2, {"one argument too many"});
}

// The driver's library, played by tests/launch/fake_nvml.cc.
TEST_F(DoctorCommand, GpusAreAskedOfTheDriver) {
  ::setenv("LD_LIBRARY_PATH", SONO_FAKE_NVML, 1);
  expect_result("doctor" + quick() + "--folder " + in("s"), 0,
                {"driver 535.10", "Played GPU (Volta 7.0, 17.2 GB)",
                 "CUDA 13 needs 580", "dropped", "7 uncorrected"});
  ::unsetenv("LD_LIBRARY_PATH");
}

}  // namespace
}  // namespace sono
