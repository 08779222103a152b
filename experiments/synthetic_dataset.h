#pragma once
// A generated data set of a run: shards made once by whoever leases them,
// judged by the quality gate, looked at by people, read back for tuning.

#include <functional>
#include <memory>
#include <opencv2/core.hpp>
#include <vector>

#include "data/quality_gate.h"
#include "data/sample.h"
#include "data/shards/writer.h"
#include "experiments/run_context.h"

namespace sono {

// What a pair's provenance says of its verdict.
nlohmann::json gate_record(const GateVerdict& verdict);

// Makes the shards that are missing in `dir`/dataset, then the contact sheets
// accepted.png and rejected.png. `make` gives the pairs of one shard, each with
// a gate record as provenance "gate"; it must be a pure function. Returns the
// outputs "dataset_hash", "count", "accepted", "reasons" (rejections by
// reason). All ranks must call.
nlohmann::json make_dataset(
    const RunContext& context, const DatasetPlan& plan,
    const std::filesystem::path& dir, const std::string& label,
    const std::function<std::vector<ShardSample>(std::int64_t shard)>& make);

// The accepted pairs of a generated data set, at the size of `native`; at their
// own where that is empty.
class SyntheticPairs {
 public:
  SyntheticPairs(const std::filesystem::path& dataset, cv::Size native);
  ~SyntheticPairs();
  SyntheticPairs(SyntheticPairs&&) noexcept;

  std::size_t size() const;
  // Image by bicubic, mask by linear interpolation cut at one half.
  Sample read(std::size_t index) const;

 private:
  std::unique_ptr<class ShardReader> reader_;
  std::unique_ptr<class AcceptedSamples> accepted_;
  cv::Size native_;
};

}  // namespace sono
