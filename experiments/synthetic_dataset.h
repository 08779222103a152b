#pragma once
// A generated data set of a run: shards made once by whoever leases them,
// judged by the quality gate, looked at by people, read back for tuning.

#include <map>
#include <memory>
#include <opencv2/core.hpp>
#include <vector>

#include "data/quality_gate.h"
#include "data/sample.h"
#include "experiments/generation_job.h"

namespace sono {

// What a pair's provenance says of its verdict.
nlohmann::json gate_record(const GateVerdict& verdict);

// Stages that made synthetic data sets, by label of generator_run.
using Datasets = std::map<std::string, StageResult>;

// The stage that makes a data set: the shards in its folder's dataset/, then
// the contact sheets accepted.png and rejected.png. Outputs "dataset_hash",
// "count", "accepted", "reasons" (rejections by reason). All ranks must call.
StageResult generate_dataset(const RunContext& context,
                             const GenerationJob& job);

// Makes the shards of `dataset` that nobody has made yet, and completes it; any
// number of ranks and of workers may do so at the same time. Waits while the
// disk is full. All ranks must call. Returns how many this rank made.
std::int64_t make_shards(const RunContext& context, const GenerationJob& job,
                         const std::filesystem::path& dataset,
                         const std::filesystem::path& leases);

// The accepted pairs of a generated data set, at the size of `native`; at their
// own where that is empty.
class SyntheticPairs {
 public:
  SyntheticPairs(const std::filesystem::path& dataset, cv::Size native);
  ~SyntheticPairs();
  SyntheticPairs(SyntheticPairs&&) noexcept;

  std::size_t size() const { return accepted_.size(); }
  // Image by bicubic, mask by linear interpolation cut at one half.
  Sample read(std::size_t index) const;

 private:
  std::unique_ptr<class ShardReader> reader_;
  std::vector<std::int64_t> accepted_;
  cv::Size native_;
};

}  // namespace sono
