#include "experiments/study.h"

#include <numeric>

#include "core/error.h"
#include "core/log.h"
#include "data/phantom/phantom.h"
#include "data/phantom/write_cohort.h"
#include "data/split.h"

namespace sono {
namespace {

constexpr std::string_view kPhantomPrefix = "phantom:";

// Seeds of phantom cohorts lie apart from those of the pretraining phantoms.
PhantomConfig phantom_config(const std::string& name, const std::string& style,
                             std::uint64_t split_seed) {
  PhantomConfig config;
  config.style = style;
  config.seed = make_key("study.phantom." + name, split_seed).low;
  config.validate();
  return config;
}

std::filesystem::path make_phantom_cohort(const std::string& name,
                                          const std::string& style,
                                          const DataConfig& data,
                                          Communicator& comm,
                                          StageRunner& stages) {
  const PhantomConfig config = phantom_config(name, style, data.split_seed);
  const nlohmann::json inputs = {{"style", style},
                                 {"seed", config.seed},
                                 {"count", data.phantom_count},
                                 {"version", kPhantomVersion}};
  return stages
      .run("phantom-" + name, inputs,
           [&](const std::filesystem::path& dir) {
             const auto n = data.phantom_count;
             run_together(comm, [&] {
               write_phantom_cohort(
                   config, n, dir,
                   split_point(n, comm.world_size(), comm.rank()),
                   split_point(n, comm.world_size(), comm.rank() + 1));
             });
             run_together(comm, [&] {
               if (comm.rank() == 0) write_phantom_tables(config, n, dir);
             });
             return nlohmann::json{{"images", n}};
           })
      .dir;
}

}  // namespace

Study::Study(const Recipe& recipe, Communicator& comm, StageRunner& stages)
    : recipe_(recipe) {
  for (const auto& name : recipe.data.cohorts) {
    cohorts_.push_back(
        open(name, recipe.data.sources.at(name), comm, stages));
  }
  for (auto& entry : cohorts_) split(entry);
  const int largest = *std::max_element(recipe.experiment.n_real.begin(),
                                        recipe.experiment.n_real.end());
  if (static_cast<std::size_t>(largest) > training().train.size()) {
    throw ConfigError("option experiment.n_real = " + std::to_string(largest) +
                      " exceeds the " +
                      std::to_string(training().train.size()) +
                      " training images of cohort " + training().name);
  }
}

StudyCohort Study::open(const std::string& name, const std::string& source,
                        Communicator& comm, StageRunner& stages) const {
  StudyCohort entry;
  entry.name = name;
  std::filesystem::path dir = source;
  if (source.starts_with(kPhantomPrefix)) {
    entry.phantom = true;
    dir = make_phantom_cohort(name, source.substr(kPhantomPrefix.size()),
                              recipe_.data, comm, stages);
  }
  entry.cohort = std::make_unique<Cohort>(open_cohort(name, dir));
  if (!entry.cohort->has_masks()) {
    throw DataError(dir.string() + ": cohort " + name +
                    " has no masks, so there is no Dice to compute; leave it "
                    "out of data.cohorts");
  }
  check_same(comm, "the files of cohort " + name,
             entry.cohort->content_hash());
  stages.run("check-" + name, {{"content", entry.cohort->content_hash()}},
             [&](const std::filesystem::path&) {
               run_together(comm, [&] {
                 if (comm.rank() == 0) check_cohort(*entry.cohort);
               });
               return nlohmann::json{{"images", entry.cohort->size()}};
             });
  return entry;
}

void Study::split(StudyCohort& entry) const {
  const DataConfig& data = recipe_.data;
  if (entry.name == data.train) {
    Split parts =
        split_by_exam(*entry.cohort, data.test_fraction, data.split_seed);
    entry.train = std::move(parts.train);
    entry.test = std::move(parts.test);
  } else {
    entry.test.resize(entry.cohort->size());
    std::iota(entry.test.begin(), entry.test.end(), std::size_t{0});
  }
  const auto limit = static_cast<std::size_t>(data.test_limit);
  if (limit > 0 && entry.test.size() > limit) entry.test.resize(limit);
  spdlog::info("cohort {}: {} training images, {} test images", entry.name,
               entry.train.size(), entry.test.size());
}

const StudyCohort& Study::training() const {
  for (const auto& entry : cohorts_) {
    if (entry.name == recipe_.data.train) return entry;
  }
  throw Error("no training cohort");
}

std::vector<std::size_t> Study::subset(int n_real, std::uint64_t seed) const {
  return nested_subset(*training().cohort, training().train, n_real, seed);
}

nlohmann::json Study::subset_inputs(int n_real, std::uint64_t seed) const {
  std::vector<std::string> ids;
  for (std::size_t i : subset(n_real, seed)) {
    ids.push_back(training().cohort->info(i).id);
  }
  return {{"cohort", training().cohort->content_hash()}, {"images", ids}};
}

}  // namespace sono
