#pragma once
// What a recipe file says: plain structs with defaults, bound to option names.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/option.h"
#include "data/cohort.h"
#include "data/lease.h"
#include "data/quality_gate.h"
#include "dist/recorder/phase.h"
#include "experiments/stable_diffusion_config.h"
#include "experiments/text_lora_config.h"
#include "models/lora/lora_config.h"
#include "trainer/diffusion_augment.h"
#include "trainer/diffusion_model.h"
#include "trainer/trainer.h"
#include "trainer/tuned_parts.h"

namespace sono {

// [data] Which cohorts there are and how the training cohort is divided.
struct DataConfig {
  // Names; each NAME has an option data.NAME that says where it comes from: a
  // folder, or "phantom:STYLE" for a cohort that the program makes itself.
  std::vector<std::string> cohorts = {"hc18", "spain"};
  std::map<std::string, std::string> sources;
  // Cohorts that real training images come from; each run has one of them.
  std::vector<std::string> train = {"hc18"};
  std::vector<std::string> test;  // cohorts to score on; empty: all
  // Files with the ids of the images to train and to test on, one a line, by
  // cohort, in place of the split by exam.
  std::map<std::string, std::string> train_lists, test_lists;
  double test_fraction = 1.0 / 3.0;  // of the training cohort's exams
  std::uint64_t split_seed = 0;
  int phantom_count = 60;  // images in a phantom cohort
  // What to do about exams or patients on both sides: refuse or warn.
  std::string shared_patients = "refuse";
  // Outlines as annotations: auto, ellipse or strict; see data/cohort.h.
  CohortConfig annotations;
  // Images at most per test cohort, 0 for all: for short trials only.
  int test_limit = 0;
};

// [experiment] Arms, amounts and prompts; see docs/evaluation.md.
struct ExperimentConfig {
  std::string title = "Untitled experiment";
  // "segment": the whole experiment; "generate": only synthetic images, of
  // cohorts that need no masks.
  std::string task = "segment";
  // Which published segmenter the weights have to be: lite_medsam, vit_b,
  // vit_l, vit_h or any.
  std::string segmenter = "any";
  std::string protocol = "equal-work";  // or "wang"; see experiments/protocol.h
  std::vector<int> n_real = {5, 20};
  std::vector<std::string> arms = {"none", "us-aug", "phantom", "concat",
                                   "joint"};
  int seeds = 2;  // each redraws subset, generator and tuning
  std::uint64_t first_seed = 0;
  int synthetic_count = 100;  // images made per run of an arm
  // Further numbers of them: every arm with synthetic images is also tuned on
  // the first so many of its pool, for the table of N real by N synthetic; none
  // by default.
  std::vector<int> synthetic_counts;
  int augmented_variants = 8;  // per real image, arms us-aug, weak and strong
  // Real images that a generator is adapted to, for all N; 0: the run's N.
  int generator_images = 0;
  // Real images of the ceilings real-100 and oracle-res; fewer for trials.
  int ceiling_images = 100;
  double sdedit_strength = 0.5;  // how far sdedit noises its phantoms, (0, 1]
  std::vector<std::string> prompts = {"gt-box", "frame", "self"};
  int draws = 5;       // of the gt-box jitter
  int jitter_px = 19;  // largest of it, a side, px in the segmenter's frame
  // Further largest jitters of gt-box that every candidate is scored under, for
  // the curve of Dice against jitter; none by default.
  std::vector<int> jitter_curve;
  // How distances between outlines are defined: monai, medpy or deepmind; and
  // how far outlines may be apart for the normalised surface Dice.
  std::string surface_convention = "monai";
  double tolerance_px = 5;  // px on the native grid
  double tolerance_mm = 1;
  // Styles of the phantoms that pretrain the generator and make up the phantom
  // arm, drawn in turn.
  std::vector<std::string> phantom_styles;
  std::uint64_t phantom_seed = 1000;
  // Images of each set whose quality is measured at most; 0 measures none. The
  // encoder takes half a second for each that was not used in tuning.
  int quality_images = 0;
  bool smoke_test = false;  // the report says that the diffusion proves nothing
};

// [segment] What the segmenter's tuning sees, beside its TrainConfig.
struct TuneConfig {
  // Above 0 the steps are epochs x ceil(images / batch_size), so arms with more
  // images make more updates, as in the paper; 0: segment.steps for all.
  int epochs = 0;
  std::string mix = "half";            // half | union; see docs/evaluation.md
  std::string train_prompt = "mixed";  // mixed | gt-box | frame
  int jitter_px = 19;                  // of gt-box prompts, px in the frame
  std::string frame = "fit";           // fit | squash; see trainer/sam_frame.h
  // The true box of an augmented image: of the mask after augmentation, or of
  // the mask before (as the paper's code has it).
  std::string augmented_box = "after";
  std::string parts =
      "decoder";  // decoder | lora | whole; trainer/tuned_parts.h
  LoraConfig lora{.targets = {"attn.qkv"}, .rank = 4};  // with parts = lora

  void validate() const;
};

TunedParts tuned_parts(const TuneConfig& config);

// [generate] How the synthetic pairs are chosen and stored.
struct GenerateConfig {
  int samples_per_shard = 16;
  // Attempts at a pair that the gate rejects; the last one is kept, rejected.
  int tries = 1;
  // keep, or refuse pairs that copy a training image.
  std::string copies = "keep";

  void validate() const;  // ConfigError naming the option
};

// [place] Where things lie; never part of a result.
struct PlaceConfig {
  std::string weights;  // LiteMedSAM; empty: .deps/weights beside the program
  std::string cache;    // embedding cache; empty: RUN/cache
  double cache_gb = 40;
  // Generation waits while less than so much is free, up to so long.
  double min_free_gb = 0.5;
  double full_wait_minutes = 60;
  std::string device = "cpu";  // that ranks compute on
  Deadlines deadlines;         // without progress
  std::string recorder;        // node-local; empty: $TMPDIR, else /tmp
  bool stage_weights = false;  // read published weights from a node-local copy
  std::string metrics_file;    // for Prometheus' node exporter; empty: none
  std::string trace_steps;     // of each training, "10-12"; a flag of `run`
};

// Defaults of the three trainings.
TrainConfig pretrain_defaults();
TrainConfig adapt_defaults();
TrainConfig segment_defaults();

struct Recipe {
  DataConfig data;
  ExperimentConfig experiment;
  // What makes the synthetic images: "pixel" trains a small diffusion model
  // ([diffusion], [pretrain], [adapt]); "stable-diffusion" trains a LoRA on a
  // published one ([stable_diffusion], [lora], [text_lora], [adapt]).
  std::string generator = "pixel";
  StableDiffusionConfig stable_diffusion;
  LoraConfig lora;
  TextLoraConfig text_lora;
  DiffusionConfig diffusion;  // its mode is set by the arm
  DiffusionAugmentConfig augment;
  DistConfig dist;  // of all three trainings
  TrainConfig pretrain = pretrain_defaults();
  TrainConfig adapt = adapt_defaults();
  TrainConfig segment = segment_defaults();
  TuneConfig tune;
  GateConfig gate;
  GenerateConfig generate;
  LeaseConfig lease;  // of work that ranks and workers share out
  PlaceConfig place;

  // Throws ConfigError naming the option that is out of range.
  void validate() const;
  // Cohorts that have no source, one line each with what to do.
  std::vector<std::string> missing_sources() const;
  void check_sources() const;  // ConfigError: the first of these
  // ConfigError when a training that the arms need has fewer lanes than ranks.
  void check_lanes(int world_size) const;
  bool latent() const { return generator == "stable-diffusion"; }
};

// Adds every option of a recipe.
void describe(OptionTable& table, Recipe& recipe);

// Updates of a tuning on so many images: segment.steps, or what segment.epochs
// asks for.
std::int64_t tuning_steps(const Recipe& recipe, std::size_t images);

}  // namespace sono
