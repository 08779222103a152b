#pragma once
// All generators of a run: trained one after the other, then sampled.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/generation_job.h"
#include "experiments/latent_stages.h"
#include "experiments/synthetic_dataset.h"

namespace sono {

class Generators {
 public:
  // Those of the runs' diffusion arms. All ranks must make it; context and
  // study must outlive it.
  Generators(const RunContext& context, const Study& study,
             const std::vector<ArmRun>& runs);

  // Pretrains and adapts those that are not finished. All ranks must call.
  void train();
  // Trains, then makes the data sets that the recipe asks for. All ranks must
  // call.
  Datasets make_datasets();

  // Labels of generator_run, in order of work.
  std::vector<std::string> labels() const;
  // How the pairs of a generator are made, for the run itself or for a
  // production; none while it is not trained. After train(); one of labels().
  std::optional<GenerationJob> recipe_job(const std::string& label) const;
  std::optional<GenerationJob> production_job(const std::string& label,
                                              const ProductionSize& size) const;

 private:
  struct Generator {
    ArmRun run;
    std::vector<LatentGroup> groups;   // of a published model
    std::vector<StageResult> adapted;  // one, or one a group
  };
  const Generator& find(const std::string& label) const;
  bool trained(const Generator& generator) const;
  std::vector<std::string> sections() const;
  GenerationJob job(const Generator& generator, GenerationOrder order) const;

  const RunContext& context_;
  const Study& study_;
  std::vector<Generator> generators_;
  std::optional<LatentModel> model_;
};

}  // namespace sono
