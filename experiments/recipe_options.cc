#include "experiments/recipe.h"

namespace sono {
namespace {

constexpr auto kResult = OptionKind::kResult;
constexpr auto kSpeed = OptionKind::kSpeed;
constexpr auto kPlace = OptionKind::kPlace;
constexpr auto kAddedResult = OptionKind::kAddedResult;

void describe_data(OptionTable& table, DataConfig& data) {
  table.add("data.cohorts", &data.cohorts, kResult,
            "names of the cohorts; each has an option data.NAME");
  // A folder's path is no result: its content's hash is.
  table.add_family("data", &data.sources, kPlace,
                   "where cohort NAME comes from: a folder, or phantom:STYLE");
  table.add("data.train", &data.train, kResult,
            "cohorts that real training images are drawn from, one a run");
  table.add("data.test", &data.test, kAddedResult,
            "cohorts to score on; empty: all");
  table.add("data.test_fraction", &data.test_fraction, kResult,
            "share of the training cohort's exams held out for test, 0..1");
  table.add("data.split_seed", &data.split_seed, kResult,
            "seed of the split by exam");
  table.add("data.phantom_count", &data.phantom_count, kResult,
            "images in each phantom cohort");
  describe(table, data.annotations);
  table.add("data.shared_patients", &data.shared_patients, kAddedResult,
            "refuse, or warn of, exams or patients in training and test");
  table.add("data.test_limit", &data.test_limit, kResult,
            "images at most per test cohort, 0 for all (for short trials)");
}

void describe_experiment(OptionTable& table, ExperimentConfig& config) {
  table.add("experiment.title", &config.title, kResult, "title of the report");
  table.add("experiment.task", &config.task, kAddedResult,
            "segment, or generate: only synthetic images, no masks needed");
  table.add("experiment.segmenter", &config.segmenter, kAddedResult,
            "what place.weights has to hold: lite_medsam, vit_b, vit_l, vit_h "
            "or any");
  table.add("experiment.protocol", &config.protocol, kAddedResult,
            "equal-work, or wang: the paper's own choices, set before yours");
  table.add("experiment.n_real", &config.n_real, kResult,
            "numbers of real training images, e.g. 5,20; subsets are nested");
  table.add("experiment.arms", &config.arms, kResult,
            "arms to run: none, weak, strong, us-aug, phantom, sdedit, concat, "
            "joint, controlnet, and the ceilings real-100 and oracle-res");
  table.add("experiment.seeds", &config.seeds, kResult,
            "seeds a cell; each redraws subset, generator and tuning");
  table.add("experiment.first_seed", &config.first_seed, kResult,
            "the first of these seeds");
  table.add("experiment.synthetic_count", &config.synthetic_count, kResult,
            "synthetic images made for each run of an arm");
  table.add("experiment.synthetic_counts", &config.synthetic_counts,
            kAddedResult,
            "also tune each arm on its first so many synthetic images, for the "
            "table of N real by N synthetic; each costs as much as the arm");
  table.add("experiment.augmented_variants", &config.augmented_variants,
            kResult,
            "variants of each real image in arms us-aug, weak and strong");
  table.add("experiment.prompts", &config.prompts, kResult,
            "prompts in test: gt-box, frame, self, detector");
  table.add("experiment.draws", &config.draws, kResult,
            "draws of the gt-box jitter, averaged before any statistic");
  table.add("experiment.quality_images", &config.quality_images, kAddedResult,
            "images of each set whose quality and likeness to training images "
            "is measured, at most; 0 = none; 0.5 s each");
  table.add("experiment.jitter_px", &config.jitter_px, kAddedResult,
            "largest jitter of a side of gt-box in test, px in the frame");
  table.add("experiment.jitter_curve", &config.jitter_curve, kAddedResult,
            "largest jitters to draw the curve of Dice under gt-box from, e.g. "
            "0,5,10,20,40; none: no curve; each costs as much as gt-box");
  table.add("experiment.surface_convention", &config.surface_convention,
            kAddedResult,
            "whose HD95, ASSD and surface Dice: monai, medpy or deepmind");
  table.add("experiment.tolerance_px", &config.tolerance_px, kAddedResult,
            "tolerance of the surface Dice in px of the image itself");
  table.add("experiment.tolerance_mm", &config.tolerance_mm, kAddedResult,
            "tolerance of the surface Dice in mm, where the spacing is known");
  table.add("experiment.generator_images", &config.generator_images,
            kAddedResult,
            "real images that a generator is adapted to, for all N; 0: the "
            "run's own N");
  table.add("experiment.ceiling_images", &config.ceiling_images, kAddedResult,
            "real images of real-100 and oracle-res; fewer for trials only");
  table.add("experiment.sdedit_strength", &config.sdedit_strength, kAddedResult,
            "how far arm sdedit noises its phantoms, 0..1");
  table.add(
      "experiment.phantom_styles", &config.phantom_styles, kResult,
      "styles of the pretraining phantoms and of arm phantom; empty: all");
  table.add("experiment.phantom_seed", &config.phantom_seed, kResult,
            "seed of those phantoms");
  table.add("experiment.smoke_test", &config.smoke_test, kResult,
            "say in the report that the diffusion here is a smoke test");
}

void describe_generation(OptionTable& table, GenerateConfig& generate) {
  table.add("generate.samples_per_shard", &generate.samples_per_shard, kResult,
            "synthetic pairs in one shard (one tar file)");
  table.add(
      "generate.tries", &generate.tries, kAddedResult,
      "attempts at a pair that the gate rejects, each with noise, outline "
      "and class of its own; after the last it stays, rejected");
  table.add("generate.copies", &generate.copies, kAddedResult,
            "keep, or refuse pairs nearer to a training image than held-out "
            "heads are");
}

void describe_tuning(OptionTable& table, TuneConfig& tune) {
  table.add("segment.epochs", &tune.epochs, kAddedResult,
            "steps = epochs x ceil(images / batch_size); 0: segment.steps for "
            "every arm");
  table.add("segment.mix", &tune.mix, kAddedResult,
            "half: every second view is synthetic; union: real and synthetic "
            "images shuffled as one set");
  table.add("segment.train_prompt", &tune.train_prompt, kAddedResult,
            "mixed (half gt-box, half frame), gt-box or frame");
  table.add("segment.jitter_px", &tune.jitter_px, kAddedResult,
            "largest jitter of a side of gt-box in training, px in the frame");
  table.add("segment.frame", &tune.frame, kAddedResult,
            "fit (longest side, min-max) or squash (to a square, / 255)");
  table.add("segment.augmented_box", &tune.augmented_box, kAddedResult,
            "box of an augmented image: of the mask after it, or before");
  table.add("segment.parts", &tune.parts, kAddedResult,
            "what tuning changes: decoder, lora (and an addition to the image "
            "encoder, [segment_lora]) or whole (and the encoder itself); the "
            "latter two with SAM ViT, and they encode at every step");
  describe(table, "segment_lora", tune.lora, kAddedResult);
}

void describe_place(OptionTable& table, PlaceConfig& place) {
  table.add(
      "place.weights", &place.weights, kPlace,
      "weights of LiteMedSAM or SAM ViT: a .pth, a .safetensors, or a folder "
      "of Hugging Face's; empty: .deps/weights/lite_medsam.pth");
  table.add("place.cache", &place.cache, kPlace,
            "folder of the embedding cache (4 MB an image); empty: RUN/cache");
  table.add("place.cache_gb", &place.cache_gb, kSpeed,
            "size of the embedding cache at most, GB");
  table.add("place.min_free_gb", &place.min_free_gb, kPlace,
            "room that generation leaves on its disk, GB; with less it waits");
  table.add("place.full_wait_minutes", &place.full_wait_minutes, kPlace,
            "how long it waits for room before it ends with 6");
  table.add("place.device", &place.device, kPlace,
            "cpu, or cuda: one GPU a rank; not for published models");
  table.add("place.step_deadline", &place.deadlines.step, kPlace,
            "seconds without progress in a step, or without a sign of life of "
            "a rank that others wait for, that end the job");
  table.add("place.start_deadline", &place.deadlines.start, kPlace,
            "the same at the start and while a rank prepares or checks data");
  table.add("place.recorder", &place.recorder, kPlace,
            "node-local folder of the flight recorder; empty: $TMPDIR or /tmp");
  table.add("place.stage_weights", &place.stage_weights, kPlace,
            "copy published weights to $TMPDIR of each node first, once, and "
            "read them there");
  table.add("place.metrics_file", &place.metrics_file, kPlace,
            "file of rank 0 for Prometheus' node exporter, NAME.prom, "
            "replaced every five seconds; empty: none");
}

}  // namespace

void describe(OptionTable& table, Recipe& recipe) {
  describe_data(table, recipe.data);
  describe_experiment(table, recipe.experiment);
  describe(table, "diffusion", recipe.diffusion);
  table.add("diffusion.model", &recipe.generator, kAddedResult,
            "pixel: a small model trained here; stable-diffusion: a LoRA on a "
            "published one");
  describe(table, recipe.stable_diffusion);
  describe(table, "lora", recipe.lora, kAddedResult);
  describe(table, recipe.text_lora);
  describe(table, "augment", recipe.augment);
  describe(table, recipe.dist);
  describe(table, "pretrain", recipe.pretrain);
  describe(table, "adapt", recipe.adapt);
  describe(table, "segment", recipe.segment);
  describe_tuning(table, recipe.tune);
  describe(table, recipe.gate);
  describe_generation(table, recipe.generate);
  describe(table, recipe.lease);
  describe_place(table, recipe.place);
  // The lists' content is part of the result by the images that it names.
  table.add_family("train_list", &recipe.data.train_lists, kPlace,
                   "file of the ids to train on, one a line, in place of the "
                   "split by exam");
  table.add_family("test_list", &recipe.data.test_lists, kPlace,
                   "file of the ids to test on, one a line");
}

}  // namespace sono
