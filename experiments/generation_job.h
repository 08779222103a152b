#pragma once
// A data set that somebody asks of a trained generator, and how it is made:
// the run itself for its arms, or workers that produce millions of pairs from
// it. Sample i is a pure function of the generator, the order's key and i.

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "data/shards/writer.h"
#include "experiments/image_quality/memorization.h"
#include "experiments/run_context.h"
#include "experiments/study.h"
#include "trainer/generate.h"

namespace sono {

struct GenerationOrder {
  std::int64_t count = 0;
  std::int64_t samples_per_shard = 64;
  std::uint64_t seed = 0;
  int tries = 1;  // GenerateConfig::tries
  bool refuse_copies = false;
  // What of all this the samples depend on, for the stage's inputs.
  nlohmann::json key;
};

// What a production is asked for.
struct ProductionSize {
  std::int64_t count = 0;
  std::int64_t samples_per_shard = 256;
  std::uint64_t seed = 0;
};

// experiment.synthetic_count pairs as [generate] asks for; `sections` hold the
// generator's own options.
GenerationOrder recipe_order(const RunContext& context, const ArmRun& run,
                             std::vector<std::string> sections);
// For a production from a finished generator, whose first samples are the same
// for any count and any size of shards.
GenerationOrder production_order(const RunContext& context,
                                 const ProductionSize& size,
                                 std::vector<std::string> sections);

// Makes attempts at pairs, each with its gate record as provenance "gate".
using PairMaker = std::function<std::vector<ShardSample>(
    const std::vector<PairAttempt>& attempts)>;

struct GenerationJob {
  std::string label;      // of the generator's run: "concat-n5-s0"
  nlohmann::json inputs;  // of its stage
  GenerationOrder order;
  DatasetPlan plan;
  nlohmann::json provenance;  // what all its pairs share
  // Loads the generator for this job, which must outlive it.
  std::function<PairMaker(const GenerationJob&)> open;
  // Compares with the generator's training images. DataError where there are no
  // held-out ones.
  std::function<CopyDetector()> copies;
};

// Sets plan and the provenance's hashes from inputs and order.
void finish_job(GenerationJob& job, const std::string& weights_hash);

// Makes whole shards: rejected pairs are tried again, in batches with others.
class ShardMaker {
 public:
  explicit ShardMaker(const GenerationJob& job);
  std::vector<ShardSample> make(std::int64_t shard);

 private:
  void refuse_copies(std::vector<ShardSample>& samples) const;

  const GenerationJob& job_;
  PairMaker make_;
  std::optional<CopyDetector> copies_;
};

// The run's real images and its cohort's held-out ones, both as a generator of
// `size` could show them. ConfigError where nothing is held out.
CopyDetector copy_detector(const Study& study, const ArmRun& run,
                           cv::Size size);

}  // namespace sono
