#include "experiments/study.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <sstream>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/message.h"
#include "core/random.h"
#include "data/phantom/phantom.h"
#include "data/phantom/write_cohort.h"
#include "data/split.h"
#include "dist/recorder/flight_recorder.h"
#include "experiments/leaks/leak_check.h"

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
  for (auto& entry : cohorts_) {
    split_cohort(recipe, entry);
    log_info("cohort " + entry.name + ": " +
             std::to_string(entry.train.size()) + " training images, " +
             std::to_string(entry.test.size()) + " test images");
  }
  check_shared_heads(cohorts_, recipe.data.shared_patients);
  check_counts();
}

// Is every training cohort large enough for what the recipe asks of it?
void Study::check_counts() const {
  const ExperimentConfig& config = recipe_.experiment;
  const auto check = [&](const std::string& option, int count) {
    for (const auto& name : recipe_.data.train) {
      const std::size_t images = cohort(name).train.size();
      if (static_cast<std::size_t>(count) <= images) continue;
      throw ConfigError("option experiment." + option + " = " +
                        std::to_string(count) + " exceeds the " +
                        std::to_string(images) + " training images of cohort " +
                        name);
    }
  };
  for (int n : config.n_real) check("n_real", n);
  check("generator_images", config.generator_images);
  for (const char* arm : {kCeilingArm, kResolutionArm}) {
    if (!std::count(config.arms.begin(), config.arms.end(), arm)) continue;
    check("ceiling_images (arm " + std::string(arm) + ")",
          config.ceiling_images);
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
  if (!entry.cohort->has_masks() && recipe_.experiment.task == "segment") {
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

namespace {

// The images of `cohort` that the list names, in the cohort's order.
std::vector<std::size_t> listed(const Cohort& cohort,
                                const std::filesystem::path& file) {
  std::set<std::string> wanted;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    const std::filesystem::path name = line;
    if (!line.empty()) {
      wanted.insert(name.extension() == ".png" ? name.stem().string() : line);
    }
  }
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < cohort.size(); ++i) {
    if (wanted.erase(cohort.info(i).id) > 0) indices.push_back(i);
  }
  if (!wanted.empty()) {
    throw DataError(file.string() + ": cohort " + cohort.name() + " lacks " +
                    std::to_string(wanted.size()) + " of the listed images, " +
                    *wanted.begin() + " among them");
  }
  return indices;
}

// The images of groups that none of `indices` belongs to.
std::vector<std::size_t> apart_from(const Cohort& cohort,
                                    const std::vector<std::size_t>& indices) {
  std::set<std::string> groups;
  for (std::size_t i : indices) groups.insert(split_group(cohort.info(i)));
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < cohort.size(); ++i) {
    if (!groups.count(split_group(cohort.info(i)))) others.push_back(i);
  }
  return others;
}

std::vector<std::size_t> all_images(const Cohort& cohort) {
  std::vector<std::size_t> indices(cohort.size());
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  return indices;
}

}  // namespace

void split_cohort(const Recipe& recipe, StudyCohort& entry) {
  const DataConfig& data = recipe.data;
  const bool trains =
      std::count(data.train.begin(), data.train.end(), entry.name) > 0;
  const bool tests =
      recipe.experiment.task == "segment" &&
      (data.test.empty() ||
       std::count(data.test.begin(), data.test.end(), entry.name) > 0);
  const auto train_list = data.train_lists.find(entry.name);
  const auto test_list = data.test_lists.find(entry.name);
  Split parts;
  if (trains && tests) {
    parts = split_by_exam(*entry.cohort, data.test_fraction, data.split_seed);
  } else {
    (trains ? parts.train : parts.test) = all_images(*entry.cohort);
  }
  // One list alone leaves to the other side who shares no patient with it.
  if (train_list != data.train_lists.end()) {
    parts.train = listed(*entry.cohort, train_list->second);
    parts.test = apart_from(*entry.cohort, parts.train);
  }
  if (test_list != data.test_lists.end()) {
    parts.test = listed(*entry.cohort, test_list->second);
    if (train_list == data.train_lists.end()) {
      parts.train = apart_from(*entry.cohort, parts.test);
    }
  }
  if (!trains) parts.train.clear();
  if (!tests) parts.test.clear();
  entry.train = std::move(parts.train);
  entry.test = std::move(parts.test);
  const auto limit = static_cast<std::size_t>(data.test_limit);
  if (limit > 0 && entry.test.size() > limit) entry.test.resize(limit);
}

const StudyCohort& Study::cohort(const std::string& name) const {
  for (const auto& entry : cohorts_) {
    if (entry.name == name) return entry;
  }
  throw Error("no cohort " + name);
}

std::vector<std::size_t> Study::subset(const ArmRun& run) const {
  const StudyCohort& entry = cohort(run.cohort);
  return nested_subset(*entry.cohort, entry.train, run.n_real, run.seed);
}

nlohmann::json Study::subset_inputs(const ArmRun& run) const {
  const StudyCohort& entry = cohort(run.cohort);
  std::vector<std::string> ids;
  for (std::size_t i : subset(run)) {
    ids.push_back(entry.cohort->info(i).id);
  }
  return {{"cohort", entry.content_hash}, {"images", ids}};
}

}  // namespace sono
