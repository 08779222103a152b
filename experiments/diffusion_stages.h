#pragma once
// The stages that make synthetic pairs: pretrain on phantoms (shared by all
// runs of an arm), adapt to the N real pairs of one run, generate and judge.

#include "experiments/run_context.h"
#include "experiments/study.h"

namespace sono {

// All ranks must call each of these.

// `mode` is "concat" or "joint". Outputs: "weights" (file name in the stage's
// folder), "sha256" of it.
StageResult pretrain_generator(const RunContext& context,
                               const std::string& mode);

// From the pretrained weights of the arm's mode. Outputs as above.
StageResult adapt_generator(const RunContext& context, const Study& study,
                            const ArmRun& run, const StageResult& pretrained);

// experiment.synthetic_count pairs as shards in DIR/dataset, each judged by
// the quality gate, with contact sheets accepted.png and rejected.png. Outputs:
// "dataset_hash", "count", "accepted", "reasons" (rejections by reason).
StageResult generate_dataset(const RunContext& context, const Study& study,
                             const ArmRun& run, const StageResult& adapted);

}  // namespace sono
