#include "experiments/generation_worker.h"

#include <algorithm>

#include "core/error.h"
#include "data/shards/reader.h"
#include "experiments/synthetic_dataset.h"

namespace sono {
namespace {

std::string joined(const std::vector<std::string>& labels) {
  std::string text;
  for (const auto& label : labels) text += (text.empty() ? "" : ", ") + label;
  return text;
}

const Recipe& checked(const Recipe& recipe, const std::filesystem::path& run) {
  for (const ArmRun& arm : arm_runs(recipe)) {
    if (is_diffusion_arm(arm.arm)) return recipe;
  }
  throw ConfigError(run.string() +
                    ": no arm of this run has a generator; name a run with "
                    "experiment.arms = concat, joint, sdedit or controlnet");
}

}  // namespace

void ProductionRequest::validate() const {
  if (out.empty()) throw ConfigError("--out DIR is missing");
  check_range("--count", static_cast<double>(size.count), 1, 1e9);
  check_range("--samples-per-shard",
              static_cast<double>(size.samples_per_shard), 1, 1e6);
}

GenerationWorker::GenerationWorker(const Recipe& recipe,
                                   const OptionTable& options,
                                   const std::filesystem::path& run,
                                   const StopSignal& stop, GuestConfig config)
    : guest_(checked(recipe, run), options, run, stop, config) {}

HelpOutcome GenerationWorker::help(const WatchOptions& watch) {
  const RunContext& context = guest_.context();
  HelpOutcome outcome;
  guest_.watch(watch, [&]() -> GuestRun::Look {
    outcome.missing = {"the run's phantom cohorts are not drawn yet"};
    const Study* study = guest_.study();
    if (study == nullptr) return {};
    if (!generators_) {
      generators_.emplace(context, *study, arm_runs(context.recipe));
    }
    outcome.missing.clear();
    std::int64_t made = 0;
    for (const auto& [label, stage] : generators_->make_datasets()) {
      if (stage.finished) continue;
      const auto job = generators_->recipe_job(label);
      if (!job) {
        outcome.missing.push_back(label + ": its generator is not trained yet");
        continue;
      }
      if (dataset_done(stage.dir / "dataset")) continue;
      made += make_shards(context, *job, stage.dir / "dataset",
                          stage.dir / "leases");
    }
    outcome.shards += made;
    return {made > 0, outcome.missing.empty()};
  });
  return outcome;
}

GenerationJob GenerationWorker::find_job(const ProductionRequest& request) {
  const RunContext& context = guest_.context();
  const Study* study = guest_.study();
  if (study == nullptr) {
    throw DataError(context.out.string() +
                    ": the run's phantom cohorts are not drawn yet; let the "
                    "run go on first");
  }
  generators_.emplace(context, *study, arm_runs(context.recipe));
  generators_->train();  // only looks
  const auto labels = generators_->labels();
  std::string label = request.generator;
  if (label.empty() && labels.size() == 1) label = labels.front();
  if (std::find(labels.begin(), labels.end(), label) == labels.end()) {
    throw ConfigError((label.empty()
                           ? "--generator LABEL is missing"
                           : "--generator " + label + ": no such generator") +
                      "; this run has " + joined(labels));
  }
  const auto job = generators_->production_job(label, request.size);
  if (!job) {
    throw DataError(context.out.string() + ": generator " + label +
                    " is not trained with these options; let the run go on "
                    "first (`sonoforge run --until generators`), and change "
                    "only options of sampling");
  }
  return *job;
}

ProductionOutcome GenerationWorker::produce(const ProductionRequest& request) {
  request.validate();
  const GenerationJob job = find_job(request);
  ProductionOutcome outcome;
  outcome.num_shards = job.plan.num_shards();
  outcome.shards =
      make_shards(guest_.context(), job, request.out, request.out / "leases");
  outcome.dataset_hash = ShardReader(request.out).manifest().dataset_hash;
  return outcome;
}

}  // namespace sono
