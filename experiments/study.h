#pragma once
// The cohorts of a recipe: opened (or made), checked and split by exam.

#include <memory>
#include <vector>

#include "data/cohort.h"
#include "experiments/recipe.h"
#include "experiments/stage.h"

namespace sono {

struct StudyCohort {
  std::string name;
  std::unique_ptr<Cohort> cohort;
  std::string content_hash;
  std::vector<std::size_t> train;  // empty but for the training cohort
  std::vector<std::size_t> test;
  bool phantom = false;
};

class Study {
 public:
  // Makes the phantom cohorts that are missing, opens the others and checks
  // every mask against its image and its csv. All ranks must call. ConfigError
  // or DataError names the option or the file.
  Study(const Recipe& recipe, Communicator& comm, StageRunner& stages);

  const std::vector<StudyCohort>& cohorts() const { return cohorts_; }
  const StudyCohort& training() const;
  // Indices into the training cohort: nested, so 5 lie inside 20 of a seed.
  std::vector<std::size_t> subset(int n_real, std::uint64_t seed) const;
  // Names the training images of a subset: what a run depends on.
  nlohmann::json subset_inputs(int n_real, std::uint64_t seed) const;

 private:
  StudyCohort open(const std::string& name, const std::string& source,
                   Communicator& comm, StageRunner& stages) const;
  void split(StudyCohort& entry) const;

  const Recipe& recipe_;
  std::vector<StudyCohort> cohorts_;
};

}  // namespace sono
