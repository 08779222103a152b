// LoRA training against the loop of diffusers' script
// (tests/parity/lora_training.py): losses, first gradients, last weights.
// LORA_TRAINING_FIXTURE=FILE takes another case, such as one of full size.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "dist/local/communicator.h"
#include "tests/trainer/latent/lora_case.h"
#include "trainer/trainer.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// Relative of losses, relative L2 of gradients, absolute of weights.
struct Tolerances {
  double loss = 1e-5, gradient = 1e-4, weight = 1e-5;
};
// Two programs round bf16 at other places.
constexpr Tolerances kBf16{1e-2, 5e-2, 2e-3};

std::vector<std::string> fixtures() {
  if (const char* other = std::getenv("LORA_TRAINING_FIXTURE")) return {other};
  const std::string folder = SONO_SOURCE_DIR "/tests/parity/fixtures/";
  return {folder + "lora_training_epsilon.safetensors",
          folder + "lora_training_velocity.safetensors",
          folder + "lora_training_text.safetensors",
          folder + "lora_training_bf16.safetensors"};
}

// Keeps the loss of every step.
class Listener : public Task {
 public:
  explicit Listener(Task& task) : task_(task) {}
  NamedTensors parameters() override { return task_.parameters(); }
  std::vector<double> rate_factors() override { return task_.rate_factors(); }
  at::Tensor loss(std::int64_t step, std::int64_t begin,
                  std::int64_t end) override {
    losses.resize(static_cast<std::size_t>(step) + 1);
    const at::Tensor value = task_.loss(step, begin, end);
    losses.back() += value.item<double>();
    return value;
  }
  std::vector<double> losses;

 private:
  Task& task_;
};

class LoraTraining : public testing::TestWithParam<std::string> {
 protected:
  LoraTraining()
      : lora_case(GetParam()),
        task(
            lora_case.networks(),
            [this](std::uint64_t n) { return lora_case.draw(n); },
            lora_case.task_config()) {
    if (lora_case.settings.contains("base_dtype")) allowed = kBf16;
  }

  // The largest relative error of the losses, and absolute one of the weights.
  std::pair<double, double> errors_of_training(LatentTask& trained) {
    Listener listener(trained);
    const fs::path dir = fs::path(testing::TempDir()) / "lora_training";
    fs::remove_all(dir);
    StopSignal stop;
    run_local_ranks(1, [&](Communicator& comm) {
      train(comm, listener, lora_case.train_config(), "x", dir, stop, nullptr,
            "test");
    });
    fs::remove_all(dir);
    double loss = 0, weight = 0;
    const at::Tensor wanted = lora_case.fixture.at("losses");
    for (std::size_t i = 0; i < listener.losses.size(); ++i) {
      const double w = wanted[static_cast<std::int64_t>(i)].item<double>();
      loss = std::max(loss, std::abs(listener.losses[i] - w) / w);
    }
    for (const auto& [name, tensor] : lora_case.trained()) {
      weight = std::max(weight, (tensor.detach() - wanted_of("final.", name))
                                    .abs()
                                    .max()
                                    .item<double>());
    }
    return {loss, weight};
  }

  // The fixture has "text.grad.NAME" of what is here "text.NAME".
  at::Tensor wanted_of(const std::string& what, const std::string& name) const {
    const std::string text = "text.";
    const bool is_text = name.starts_with(text);
    return lora_case.fixture.at(is_text ? text + what + name.substr(text.size())
                                        : what + name);
  }

  LoraCase lora_case;
  LatentTask task;
  Tolerances allowed;
};

TEST_P(LoraTraining, FirstGradientsEqualDiffusers) {
  const std::int64_t batch = lora_case.global_batch();
  task.loss(0, 0, batch).backward();
  double largest = 0;
  for (const auto& [name, tensor] : lora_case.trained()) {
    const at::Tensor wanted = wanted_of("grad.", name);
    const double error =
        ((tensor.grad() - wanted).norm() / wanted.norm()).item<double>();
    largest = std::max(largest, error);
  }
  std::printf(
      "check 11: gradients, largest relative error %.2g (tolerance %g)\n",
      largest, allowed.gradient);
  EXPECT_LT(largest, allowed.gradient);
}

TEST_P(LoraTraining, LossesAndWeightsEqualDiffusers) {
  const auto [loss, weight] = errors_of_training(task);
  std::printf(
      "check 11: losses, largest relative error %.2g (tolerance %g); weights, "
      "largest error %.2g (tolerance %g)\n",
      loss, allowed.loss, weight, allowed.weight);
  EXPECT_LT(loss, allowed.loss);
  EXPECT_LT(weight, allowed.weight);
}

TEST_P(LoraTraining, AWrongWeightShows) {
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : lora_case.unet.named_parameters()) {
    if (name == "conv_in.weight") tensor.view(-1)[0].add_(0.5);
  }
  const auto [loss, weight] = errors_of_training(task);
  EXPECT_GT(loss, allowed.loss);
  EXPECT_GT(weight, allowed.weight);
}

// Of the text encoder's LoRA too.
TEST_P(LoraTraining, AWrongLearningRateOfTheTextShows) {
  if (!lora_case.text_lora) GTEST_SKIP() << "no text encoder is trained";
  lora_case.settings["text_rate_factor"] = 0.5;
  LatentTask other(
      lora_case.networks(), [&](std::uint64_t n) { return lora_case.draw(n); },
      lora_case.task_config());
  EXPECT_GT(errors_of_training(other).second, allowed.weight);
}

INSTANTIATE_TEST_SUITE_P(Cases, LoraTraining, testing::ValuesIn(fixtures()));

}  // namespace
}  // namespace sono
