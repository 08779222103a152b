#include "experiments/generation_job.h"

#include <utility>

#include "core/error.h"
#include "core/hash.h"
#include "experiments/synthetic_dataset.h"

namespace sono {
namespace {

bool accepted(const ShardSample& sample) {
  return sample.provenance.at("gate").at("accepted").get<bool>();
}

}  // namespace

GenerationOrder recipe_order(const RunContext& context, const ArmRun& run,
                             std::vector<std::string> sections) {
  const Recipe& recipe = context.recipe;
  sections.insert(sections.end(), {"gate", "generate"});
  GenerationOrder order;
  order.count = recipe.experiment.synthetic_count;
  order.samples_per_shard = recipe.generate.samples_per_shard;
  order.seed = run.seed;
  order.tries = recipe.generate.tries;
  order.refuse_copies = recipe.generate.copies == "refuse";
  order.key = {{"options", context.options.results(sections)},
               {"count", order.count},
               {"seed", order.seed}};
  return order;
}

GenerationOrder production_order(const RunContext& context,
                                 const ProductionSize& size,
                                 std::vector<std::string> sections) {
  const GenerateConfig& config = context.recipe.generate;
  sections.emplace_back("gate");
  GenerationOrder order;
  order.count = size.count;
  order.samples_per_shard = size.samples_per_shard;
  order.seed = size.seed;
  order.tries = config.tries;
  order.refuse_copies = config.copies == "refuse";
  order.key = {{"options", context.options.results(sections)},
               {"seed", size.seed},
               {"tries", config.tries},
               {"copies", config.copies}};
  return order;
}

void finish_job(GenerationJob& job, const std::string& weights_hash) {
  job.inputs.update(job.order.key);
  job.plan.count = job.order.count;
  job.plan.samples_per_shard = job.order.samples_per_shard;
  job.plan.config_hash = sha256_hex(job.inputs.dump());
  job.plan.weights_hash = weights_hash;
  job.provenance["seed"] = job.order.seed;
  job.provenance["weights"] = weights_hash;
  job.provenance["config"] = job.plan.config_hash;
}

ShardMaker::ShardMaker(const GenerationJob& job)
    : job_(job), make_(job.open(job)) {
  if (job.order.refuse_copies) copies_.emplace(job.copies());
}

std::vector<ShardSample> ShardMaker::make(std::int64_t shard) {
  const std::int64_t first = job_.plan.first_sample(shard);
  const std::int64_t count = job_.plan.samples_in(shard);
  std::vector<ShardSample> samples(static_cast<std::size_t>(count));
  std::vector<PairAttempt> asked = first_attempts(first, count);
  for (int attempt = 0; !asked.empty(); ++attempt) {
    std::vector<ShardSample> made = make_(asked);
    if (copies_) refuse_copies(made);
    const bool last = attempt + 1 == job_.order.tries;
    std::vector<PairAttempt> again;
    for (std::size_t k = 0; k < made.size(); ++k) {
      if (!accepted(made[k]) && !last) {
        again.push_back({asked[k].index, attempt + 1});
        continue;
      }
      if (job_.order.tries > 1) made[k].provenance["attempt"] = attempt;
      samples[static_cast<std::size_t>(asked[k].index - first)] =
          std::move(made[k]);
    }
    asked = std::move(again);
  }
  return samples;
}

void ShardMaker::refuse_copies(std::vector<ShardSample>& samples) const {
  std::vector<cv::Mat> images;
  for (const ShardSample& sample : samples) images.push_back(sample.image);
  const auto found = copies_->nearest(images);
  for (std::size_t k = 0; k < samples.size(); ++k) {
    nlohmann::json& provenance = samples[k].provenance;
    provenance["copy"] = {{"distance", found[k].distance},
                          {"ratio", found[k].ratio()},
                          {"training_image", found[k].image}};
    if (!copies_->is_copy(found[k]) || !accepted(samples[k])) continue;
    provenance["gate"]["accepted"] = false;
    provenance["gate"]["reason"] = "copy of a training image";
    provenance["gate"]["kind"] = "copy of a training image";
  }
}

CopyDetector copy_detector(const Study& study, const ArmRun& run,
                           cv::Size size) {
  const StudyCohort& cohort = study.cohort(run.cohort);
  if (cohort.test.size() < 2) {
    throw ConfigError(
        "option generate.copies = refuse: cohort " + cohort.name +
        " has no two held-out images to compare with; set it to keep, or "
        "hold out more (data.test_fraction, data.test_limit)");
  }
  std::vector<cv::Mat> training, heldout;
  for (const std::size_t i : study.subset(run)) {
    training.push_back(cohort.cohort->load(i).image);
  }
  for (const std::size_t i : cohort.test) {
    heldout.push_back(cohort.cohort->load(i).image);
  }
  MemorizationConfig config;
  config.size = size;
  return CopyDetector(training, heldout, config);
}

}  // namespace sono
