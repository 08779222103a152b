#pragma once
// The stages that make synthetic pairs: pretrain on phantoms (shared by all
// runs of an arm), adapt to the N real pairs of one run, generate and judge.

#include <opencv2/core.hpp>
#include <vector>

#include "experiments/arm_images.h"
#include "experiments/run_context.h"

namespace sono {

// All ranks must call each of these.

// `arm` is "concat" or "joint". Outputs: "weights" (file name in the stage's
// folder), "sha256" of it.
StageResult pretrain_generator(const RunContext& context,
                               const std::string& arm);

// From the pretrained weights. Outputs as above.
StageResult adapt_generator(const RunContext& context, const Study& study,
                            const ArmRun& run, const StageResult& pretrained);

// experiment.synthetic_count pairs as shards in DIR/dataset, each judged by
// the quality gate, with contact sheets accepted.png and rejected.png. Outputs:
// "dataset_hash", "count", "accepted", "reasons" (rejections by reason).
StageResult generate_dataset(const RunContext& context, const Study& study,
                             const ArmRun& run, const StageResult& adapted);

// The accepted pairs of a generated data set, at the size of `native`.
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
