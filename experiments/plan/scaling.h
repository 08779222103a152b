#pragma once
// What a recipe's trainings and its independent work will do on more nodes.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiments/plan/costs.h"
#include "trainer/step_model.h"

namespace sono {

// How sure a row is.
enum class Basis {
  kMeasured,      // the number of ranks that doctor runs on
  kInterpolated,  // between numbers whose links were measured
  kExtrapolated,  // beyond them
  kOneNode,       // beyond them, and no network between nodes was measured
  kUpperBound,    // no link was measured: communication counts nothing
};

struct ScalingRow {
  int nodes = 1;
  StepForecast step;
  double samples_a_second = 0;
  double efficiency = 1;  // over that of one rank, for each rank
  Basis basis = Basis::kMeasured;
  // Above 0: the recipe's lanes keep no more ranks busy; with this many, and a
  // batch grown with them, the row holds. That is another result.
  int lanes = 0;
};

struct TrainingScaling {
  std::string name;  // "pretrain", "adapt", "tune"
  TrainConfig config;
  std::vector<ScalingRow> rows;  // nodes 1, 2, 4, ..., most
};

// Work of items that need nothing of each other: images generated or encoded,
// masks predicted.
struct WorkScaling {
  std::string name;
  double items_a_second = 0;       // of one rank on a core of its own
  double items_a_second_here = 0;  // of the ranks of one node
};

struct RecipeScaling {
  StepWorld here;  // the ranks that measured
  int nodes_here = 1;
  std::vector<TrainingScaling> trainings;
  std::vector<WorkScaling> work;
};

struct ScalingInput {
  const Recipe& recipe;
  const UnitCosts& costs;
  const std::vector<LinkModel>& links;
  StepWorld here;
  int nodes_here = 1;
  int most_nodes = 1024;
};

// Nodes hold as many ranks as the fullest one here.
RecipeScaling scale_recipe(const ScalingInput& input);

std::string scaling_text(const RecipeScaling& scaling);
nlohmann::json to_json(const RecipeScaling& scaling);

}  // namespace sono
