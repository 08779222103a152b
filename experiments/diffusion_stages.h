#pragma once
// The small diffusion model of a run: pretrained on phantoms (shared by all
// runs of an arm), adapted to the N real pairs of one run, and sampled.

#include "experiments/generation_job.h"
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

// How the pairs of an adapted generator are made. Context and study must
// outlive the job.
GenerationJob pixel_generation(const RunContext& context, const Study& study,
                               const ArmRun& run, const StageResult& adapted,
                               GenerationOrder order);

}  // namespace sono
