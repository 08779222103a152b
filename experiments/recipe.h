#pragma once
// What a recipe file says: plain structs with defaults, bound to option names.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/option.h"
#include "data/cohort.h"
#include "data/quality_gate.h"
#include "dist/recorder/phase.h"
#include "trainer/diffusion_augment.h"
#include "trainer/diffusion_model.h"
#include "trainer/trainer.h"

namespace sono {

// [data] Which cohorts there are and how the training cohort is divided.
struct DataConfig {
  // Names; each NAME has an option data.NAME that says where it comes from: a
  // folder, or "phantom:STYLE" for a cohort that the program makes itself.
  std::vector<std::string> cohorts = {"hc18", "spain"};
  std::map<std::string, std::string> sources;
  std::string train = "hc18";  // the cohort that real training images come from
  double test_fraction = 1.0 / 3.0;  // of the training cohort's exams
  std::uint64_t split_seed = 0;
  int phantom_count = 60;  // images in a phantom cohort
  // Outlines as annotations: auto, ellipse or strict; see data/cohort.h.
  CohortConfig annotations;
  // Images at most per test cohort, 0 for all: for short trials only.
  int test_limit = 0;
};

// [experiment] Arms, amounts and prompts; see docs/evaluation.md.
struct ExperimentConfig {
  std::string title = "Untitled experiment";
  std::vector<int> n_real = {5, 20};
  std::vector<std::string> arms = {"none", "us-aug", "phantom", "concat",
                                   "joint"};
  int seeds = 2;  // each redraws subset, generator and tuning
  std::uint64_t first_seed = 0;
  int synthetic_count = 100;   // images made per run of an arm
  int augmented_variants = 8;  // per real image, arms weak, strong, us-aug
  // Whether their prompts are boxes of the mask after augmentation, or of the
  // one before it, as the published baselines have them (which handicaps them).
  std::string augmented_box = "after";
  std::vector<std::string> prompts = {"gt-box", "frame", "self"};
  int draws = 5;  // of the gt-box jitter
  // Styles of the phantoms that pretrain the generator and make up the phantom
  // arm, drawn in turn.
  std::vector<std::string> phantom_styles;
  std::uint64_t phantom_seed = 1000;
  // Images of each set whose quality is measured at most; 0 measures none. The
  // encoder takes half a second for each that was not used in tuning.
  int quality_images = 0;
  bool smoke_test = false;  // the report says that the diffusion proves nothing
};

// [generate] How the synthetic pairs are stored.
struct GenerateConfig {
  int samples_per_shard = 16;
};

// [place] Where things lie; never part of a result.
struct PlaceConfig {
  std::string weights;  // LiteMedSAM; empty: .deps/weights beside the program
  std::string cache;    // embedding cache; empty: RUN/cache
  double cache_gb = 40;
  std::string device = "cpu";  // that ranks compute on
  Deadlines deadlines;         // without progress
  std::string recorder;        // node-local; empty: $TMPDIR, else /tmp
};

// Defaults of the three trainings.
TrainConfig pretrain_defaults();
TrainConfig adapt_defaults();
TrainConfig segment_defaults();

struct Recipe {
  DataConfig data;
  ExperimentConfig experiment;
  DiffusionConfig diffusion;  // its mode is set by the arm
  DiffusionAugmentConfig augment;
  DistConfig dist;  // of all three trainings
  TrainConfig pretrain = pretrain_defaults();
  TrainConfig adapt = adapt_defaults();
  TrainConfig segment = segment_defaults();
  GateConfig gate;
  GenerateConfig generate;
  PlaceConfig place;

  // Throws ConfigError naming the option that is out of range or missing.
  void validate() const;
  // ConfigError when a training that the arms need has fewer lanes than ranks.
  void check_lanes(int world_size) const;
};

// Adds every option of a recipe.
void describe(OptionTable& table, Recipe& recipe);

// The arms a recipe may name, in the order of the tables.
const std::vector<std::string>& known_arms();
// Arms whose synthetic images come from diffusion: "concat", "joint".
bool is_diffusion_arm(const std::string& arm);

}  // namespace sono
