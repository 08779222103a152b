#pragma once
// What a recipe would do, stage by stage, without doing it (`run --dry-run`).

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/arms.h"

namespace sono {

enum class Work {
  kPhantoms,  // items: images drawn
  kCheck,     // items: images read and compared with the csv
  kPretrain,  // items: optimiser steps
  kAdapt,     // items: optimiser steps
  kGenerate,  // items: images
  kTune,      // items: optimiser steps
  kDetector,  // items: images
  kEvaluate,  // items: predictions
  kReport,    // items: 1
};

struct PlannedStage {
  std::string name;  // of the stage's folder: "tune-concat-n5-s0"
  Work work;
  std::int64_t items = 0;
  std::int64_t encoded = 0;  // images that it encodes first, at most
  bool finished = false;
};

// How many images a cohort gives.
struct PlannedCohort {
  std::string name;
  std::int64_t train = 0;
  std::int64_t test = 0;
  std::int64_t images = 0;
  bool known = true;  // false: its folder is missing or not drawn yet
};

struct Plan {
  std::vector<PlannedCohort> cohorts;
  std::vector<ArmRun> runs;
  std::vector<PlannedStage> stages;  // in the order of work
  std::int64_t references = 0;       // candidates without training
  std::int64_t run_evaluations = 0;  // run x cohort x prompt x draw
  std::int64_t cells = 0;            // the same with the references
  std::int64_t predictions = 0;      // cells x test images
  // What has to be given before the recipe can run, each with its remedy.
  std::vector<std::string> missing;
};

// Counts from the options alone, where a cohort's folder is missing; else from
// its files. Reads, and writes nothing. Errors: those of an unreadable cohort.
Plan make_plan(const Recipe& recipe);

}  // namespace sono
