#pragma once
// The cohorts of a recipe: opened (or made), checked and split by exam.

#include <memory>
#include <vector>

#include "data/cohort.h"
#include "experiments/arms.h"
#include "experiments/stage.h"

namespace sono {

struct StudyCohort {
  std::string name;
  std::unique_ptr<Cohort> cohort;
  std::string content_hash;
  std::vector<std::size_t> train;  // empty but for training cohorts
  std::vector<std::size_t> test;   // empty where data.test leaves it out
  bool phantom = false;
};

// Divides a cohort that is opened into training and test images. Nothing is
// held out where nothing is scored (experiment.task = generate).
void split_cohort(const Recipe& recipe, StudyCohort& entry);

class Study {
 public:
  // Makes the phantom cohorts that are missing, opens the others and checks
  // every mask against its image and its csv. All ranks must call. ConfigError
  // or DataError names the option or the file.
  Study(const Recipe& recipe, Communicator& comm, StageRunner& stages);

  const std::vector<StudyCohort>& cohorts() const { return cohorts_; }
  const StudyCohort& cohort(const std::string& name) const;
  // The cohort of the run's real images.
  const Cohort& training(const ArmRun& run) const {
    return *cohort(run.cohort).cohort;
  }
  // The run's real images, indices into its training cohort: nested, so 5 lie
  // inside 20 of a seed.
  std::vector<std::size_t> subset(const ArmRun& run) const;
  // Names them: what a run depends on.
  nlohmann::json subset_inputs(const ArmRun& run) const;

 private:
  StudyCohort open(const std::string& name, const std::string& source,
                   Communicator& comm, StageRunner& stages) const;
  void check_counts() const;

  const Recipe& recipe_;
  std::vector<StudyCohort> cohorts_;
};

}  // namespace sono
