// Training of a tiny SAM ViT against a loop in PyTorch on Meta's classes, with
// MONAI's loss; tests/parity/sam.py writes the fixture.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>

#include "core/error.h"
#include "dist/local/communicator.h"
#include "tests/core/expect_error.h"
#include "tests/models/sam/tiny_sam.h"
#include "trainer/segmentation_task.h"
#include "trainer/trainer.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kViews = 4;

// The script's views: image, target and box number i.
TrainingView view(std::int64_t i) {
  const at::Tensor images = scattered("train.images", {kViews, 3, 64, 64});
  const std::int64_t y = 3 + 2 * i, x = 4 + 3 * i, size = 10 + i;
  at::Tensor target = at::zeros({32, 32});
  target.narrow(0, y, size).narrow(1, x, size).fill_(1);
  TrainingView made;
  made.input = images.narrow(0, i, 1);
  made.target = target;
  made.box = {double(x), double(y), double(x + size - 1), double(y + size - 1)};
  made.whole = {0, 0, 32, 32};
  return made;
}

// Gives the script's views in its order, whatever the task's order is, and
// keeps the loss of each step. One step is one call.
class ScriptedTask : public Task {
 public:
  ScriptedTask(Sam& model, SegmentationTaskConfig config,
               LoraSet* lora = nullptr, bool cached = false)
      : task_(model,
              {.count = kViews,
               .variants = 1,
               .get =
                   [this, &model, cached](std::int64_t, std::int64_t) {
                     TrainingView next = view(next_++ % kViews);
                     if (cached) {
                       next.embedding = model.encode(next.input);
                       next.input = at::Tensor();
                     }
                     return next;
                   }},
              {}, config, lora) {}

  NamedTensors parameters() override { return task_.parameters(); }
  at::Tensor loss(std::int64_t step, std::int64_t begin,
                  std::int64_t end) override {
    next_ = 2 * step + begin;
    const at::Tensor value = task_.loss(step, begin, end);
    losses.push_back(value.item<double>());
    return value;
  }

  std::vector<double> losses;

 private:
  std::int64_t next_ = 0;
  SegmentationTask task_;
};

SegmentationTaskConfig task_config(TunedParts parts) {
  return {.parts = parts,
          .batch_size = 2,
          .max_jitter_px = 0,
          .whole_frame_share = 0};
}

TrainConfig twenty_steps(const std::string& optimizer, double learning_rate,
                         double weight_decay) {
  TrainConfig config;
  config.steps = 20;
  config.batch_size = 2;
  config.lanes = 1;
  config.optimizer = optimizer;
  config.learning_rate = learning_rate;
  config.weight_decay = weight_decay;
  config.clip_norm = 0;
  return config;
}

void run(Task& task, const TrainConfig& config) {
  at::set_num_threads(1);
  const fs::path dir = fs::path(::testing::TempDir()) / "sam_training";
  fs::remove_all(dir);
  run_local_ranks(
      1,
      [&](Communicator& comm) {
        StopSignal stop;
        train(comm, task, config, "abc", dir, stop, nullptr, "test");
      },
      60);
}

// Head numbers 1 to 3 make masks that the loss does not see: the script's
// gradients of them are zero.
bool is_unused_head(const std::string& name) {
  return name.find("hypernetworks_mlps.") != std::string::npos &&
         name.find("hypernetworks_mlps.0") == std::string::npos;
}

// The script's sample: the first six numbers of every parameter, by name.
struct Sampled {
  std::vector<std::string> names;  // of each number
  std::vector<double> expected;
};

Sampled sampled(const Sam& model, const at::Tensor& expected,
                bool with_encoder) {
  Sampled all;
  std::map<std::string, std::int64_t> counts;
  for (const auto& [name, tensor] : model.named_parameters()) {
    const bool decoder = name.rfind("mask_decoder.", 0) == 0 &&
                         name.find("iou_prediction_head") == std::string::npos;
    const bool encoder = name.rfind("image_encoder.", 0) == 0;
    if (decoder || (with_encoder && encoder)) {
      counts[name] = std::min<std::int64_t>(6, tensor.numel());
    }
  }
  for (const auto& [name, count] : counts) {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto next = static_cast<std::int64_t>(all.names.size());
      all.expected.push_back(expected[next].item<double>());
      all.names.push_back(name);
    }
  }
  EXPECT_EQ(static_cast<std::int64_t>(all.names.size()), expected.numel());
  return all;
}

// Relative L2 distance of `values` (by parameter) from the script's.
double distance(const Sampled& sample,
                const std::map<std::string, at::Tensor>& values) {
  double difference = 0, norm = 0;
  std::string last;
  std::int64_t i = 0;
  for (std::size_t n = 0; n < sample.names.size(); ++n) {
    const std::string& name = sample.names[n];
    i = name == last ? i + 1 : 0;
    last = name;
    if (is_unused_head(name)) continue;
    const double own = values.at(name).flatten()[i].item<double>();
    difference += (own - sample.expected[n]) * (own - sample.expected[n]);
    norm += sample.expected[n] * sample.expected[n];
  }
  return std::sqrt(difference / norm);
}

class SamTrainingTest : public ::testing::Test {
 protected:
  void SetUp() override { model_.load(start_, "made-up weights"); }

  struct Outcome {
    double loss, gradient, moved;  // distances from the script's
  };

  Outcome compare(const std::string& name, TunedParts parts,
                  const TrainConfig& config) {
    const bool whole = parts == TunedParts::kWhole;
    ScriptedTask task(model_, task_config(parts));
    task.loss(0, 0, 2).backward();
    std::map<std::string, at::Tensor> gradients, moved;
    for (auto& [key, tensor] : task.parameters()) {
      gradients[key] = tensor.grad().clone();
      tensor.mutable_grad() = at::Tensor();
    }
    task.losses.clear();
    run(task, config);
    for (const auto& [key, tensor] : task.parameters()) {
      moved[key] = tensor.detach() - start_.at(key);
    }
    Outcome outcome{};
    const at::Tensor losses = fixture_.at(name + ".loss");
    EXPECT_EQ(task.losses.size(), 20u);
    for (std::size_t i = 0; i < task.losses.size(); ++i) {
      const auto step = static_cast<std::int64_t>(i);
      const double expected = losses[step].item<double>();
      outcome.loss = std::max(outcome.loss,
                              std::abs(task.losses[i] - expected) / expected);
    }
    outcome.gradient = distance(
        sampled(model_, fixture_.at(name + ".gradient"), whole), gradients);
    outcome.moved =
        distance(sampled(model_, fixture_.at(name + ".moved"), whole), moved);
    std::printf("%s: loss %.1e, gradient %.1e, moved %.1e\n", name.c_str(),
                outcome.loss, outcome.gradient, outcome.moved);
    return outcome;
  }

  Sam model_{tiny_sam_config()};
  StateDict start_ = scattered_state(model_);
  StateDict fixture_ = sam_fixture();
};

constexpr double kLossTolerance = 1e-5;
constexpr double kGradientTolerance = 1e-4;
// Of the way that the weights went, which is some 1e-3 of the weights: Adam
// divides by the gradient's size, and so magnifies the noise of small ones.
constexpr double kMovedTolerance = 1e-2;

TEST_F(SamTrainingTest, DecoderTrainsAsInPyTorch) {
  const Outcome outcome =
      compare("decoder", TunedParts::kDecoder, twenty_steps("adam", 1e-5, 0));
  EXPECT_LE(outcome.loss, kLossTolerance);
  EXPECT_LE(outcome.gradient, kGradientTolerance);
  EXPECT_LE(outcome.moved, kMovedTolerance);
}

TEST_F(SamTrainingTest, TheWholeModelTrainsAsInPyTorch) {
  const Outcome outcome =
      compare("whole", TunedParts::kWhole, twenty_steps("adamw", 1e-4, 0.01));
  EXPECT_LE(outcome.loss, kLossTolerance);
  EXPECT_LE(outcome.gradient, kGradientTolerance);
  EXPECT_LE(outcome.moved, kMovedTolerance);
}

TEST_F(SamTrainingTest, NoticesAnotherWeightAndAnotherLearningRate) {
  start_["mask_decoder.iou_token.weight"] =
      start_["mask_decoder.iou_token.weight"] + 0.05;
  model_.load(start_, "changed");
  const Outcome outcome =
      compare("decoder", TunedParts::kDecoder, twenty_steps("adam", 1.2e-5, 0));
  EXPECT_GT(outcome.loss, kLossTolerance);
  EXPECT_GT(outcome.gradient, kGradientTolerance);
  EXPECT_GT(outcome.moved, kMovedTolerance);
}

TEST_F(SamTrainingTest, CachedAndComputedEmbeddingsTrainToTheSameBits) {
  std::map<std::string, at::Tensor> trained;
  for (const bool cached : {true, false}) {
    model_.load(start_, "made-up weights");
    ScriptedTask task(model_, task_config(TunedParts::kDecoder), nullptr,
                      cached);
    run(task, twenty_steps("adam", 1e-3, 0));
    for (const auto& [name, tensor] : task.parameters()) {
      if (cached) {
        trained[name] = tensor.detach().clone();
      } else {
        EXPECT_TRUE(at::equal(tensor, trained.at(name))) << name;
      }
    }
  }
  EXPECT_FALSE(at::equal(trained.at("mask_decoder.mask_tokens.weight"),
                         start_.at("mask_decoder.mask_tokens.weight")));
}

TEST_F(SamTrainingTest, ALowRankAdditionTrainsBesideTheDecoderAlone) {
  LoraConfig config;
  config.targets = {"attn.qkv"};
  config.rank = 4;
  LoraSet lora(model_.image_encoder(),
               choose_targets(model_.image_encoder(), config, "the encoder",
                              "segment.lora"));
  lora.initialize(3);
  EXPECT_LE(
      largest_difference(model_.encode(scattered("images", {2, 3, 64, 64})),
                         fixture_.at("embedding")),
      1e-4)
      << "a fresh LoRA changes nothing";
  ScriptedTask task(model_, task_config(TunedParts::kDecoderAndLora), &lora);
  run(task, twenty_steps("adamw", 1e-3, 0));
  EXPECT_LT(task.losses.back(), task.losses.at(1));
  std::size_t num_lora = 0;
  for (const auto& [name, tensor] : task.parameters()) {
    if (name.rfind("lora.", 0) != 0) continue;
    ++num_lora;
    EXPECT_GT(tensor.abs().max().item<double>(), 0) << name;
  }
  EXPECT_EQ(num_lora, 4u);  // two blocks, down and up
  for (const auto& [name, tensor] : model_.image_encoder().named_parameters()) {
    EXPECT_TRUE(at::equal(tensor, start_.at("image_encoder." + name))) << name;
  }
}

TEST_F(SamTrainingTest, RefusesToTrainAnEncoderThatCannotBe) {
  Sam lite;
  EXPECT_ERROR(ScriptedTask(lite, task_config(TunedParts::kWhole)), ConfigError,
               "LiteMedSAM", "decoder");
  EXPECT_ERROR(parse_tuned_parts("segment.tune", "all"), ConfigError,
               "segment.tune", "whole");
}

// ---- loss -------------------------------------------------------------------

struct LossCase {
  at::Tensor logits = 3 * scattered("loss.logits", {3, 1, 64, 64});
  at::Tensor target =
      scattered("loss.target", {3, 1, 64, 64}).gt(0.2).to(at::kFloat);
  LossCase() { target[1].zero_(); }
};

TEST(DiceCrossEntropyParity, ValueAndGradientAreMonais) {
  const StateDict fixture = sam_fixture();
  for (const bool batch : {false, true}) {
    const LossCase data;
    at::Tensor logits = data.logits.clone().requires_grad_();
    const at::Tensor loss = batch
                                ? batch_dice_cross_entropy(logits, data.target)
                                : dice_cross_entropy(logits, data.target);
    loss.backward();
    const std::string name = batch ? "loss.batch" : "loss.each";
    EXPECT_NEAR(loss.item<double>(), fixture.at(name + ".value").item<double>(),
                1e-6);
    const at::Tensor gradient = logits.grad().flatten().slice(0, 0, {}, 16);
    // Gradients are some 1e-4: the tolerance is taken of the largest.
    const at::Tensor expected = fixture.at(name + ".gradient");
    const double largest = expected.abs().max().item<double>();
    EXPECT_LE(largest_difference(gradient, expected), 1e-6 * largest * 10);
    const at::Tensor other =
        batch ? dice_cross_entropy(logits, data.target)
              : batch_dice_cross_entropy(logits, data.target);
    EXPECT_GT(std::abs(other.item<double>() -
                       fixture.at(name + ".value").item<double>()),
              1e-6);
  }
}

}  // namespace
}  // namespace sono
