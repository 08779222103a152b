#include "experiments/study.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "core/message.h"
#include "core/random.h"
#include "data/phantom/phantom.h"
#include "data/phantom/write_cohort.h"
#include "data/split.h"
#include "dist/recorder/flight_recorder.h"

namespace sono {
namespace {

constexpr std::string_view kPhantomPrefix = "phantom:";

// Seeds of phantom cohorts lie apart from those of the pretraining phantoms.
PhantomCohort phantom_cohort(const std::string& name, const std::string& style,
                             const DataConfig& data) {
  PhantomCohort cohort;
  cohort.phantom.style = style;
  cohort.phantom.seed = make_key("study.phantom." + name, data.split_seed).low;
  cohort.phantom.validate();
  cohort.count = static_cast<std::uint64_t>(data.phantom_count);
  return cohort;
}

std::filesystem::path make_phantom_cohort(const PhantomCohort& cohort,
                                          const std::string& name,
                                          Communicator& comm,
                                          StageRunner& stages) {
  const nlohmann::json inputs = {{"style", cohort.phantom.style},
                                 {"seed", cohort.phantom.seed},
                                 {"count", cohort.count},
                                 {"version", kPhantomVersion}};
  const auto work = [&](const std::filesystem::path& dir) {
    const auto part = [&](int rank) {
      return static_cast<std::uint64_t>(split_point(
          static_cast<std::int64_t>(cohort.count), comm.world_size(), rank));
    };
    run_together(comm, [&] {
      const std::uint64_t end = part(comm.rank() + 1);
      for (std::uint64_t i = part(comm.rank()); i < end; ++i) {
        write_phantom_images(cohort, dir, i, i + 1);
        if (comm.recorder() != nullptr) comm.recorder()->tick();
      }
    });
    run_together(comm, [&] {
      if (comm.rank() == 0) write_phantom_tables(cohort, dir);
    });
    return nlohmann::json{{"images", cohort.count}};
  };
  return stages.run("phantom-" + name, inputs, work).dir;
}

}  // namespace

Study::Study(const Recipe& recipe, Communicator& comm, StageRunner& stages)
    : recipe_(recipe) {
  for (const auto& name : recipe.data.cohorts) {
    cohorts_.push_back(open(name, recipe.data.sources.at(name), comm, stages));
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
    dir = make_phantom_cohort(
        phantom_cohort(name, source.substr(kPhantomPrefix.size()),
                       recipe_.data),
        name, comm, stages);
  }
  entry.cohort = std::make_unique<Cohort>(
      open_cohort(name, dir, recipe_.data.annotations));
  if (!entry.cohort->has_masks()) {
    throw DataError(dir.string() + ": cohort " + name +
                    " has no masks, so there is no Dice to compute; leave it "
                    "out of data.cohorts");
  }
  entry.content_hash = entry.cohort->content_hash();
  check_same(comm, "the files of cohort " + name, entry.content_hash);
  stages.run("check-" + name, {{"content", entry.content_hash}},
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
  log_info("cohort " + entry.name + ": " + std::to_string(entry.train.size()) +
           " training images, " + std::to_string(entry.test.size()) +
           " test images");
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
  return {{"cohort", training().content_hash}, {"images", ids}};
}

}  // namespace sono
