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

constexpr double kLossTolerance = 1e-5;      // relative
constexpr double kGradientTolerance = 1e-4;  // relative, L2
constexpr double kWeightTolerance = 1e-5;

std::vector<std::string> fixtures() {
  if (const char* other = std::getenv("LORA_TRAINING_FIXTURE")) return {other};
  const std::string folder = SONO_SOURCE_DIR "/tests/parity/fixtures/";
  return {folder + "lora_training_epsilon.safetensors",
          folder + "lora_training_velocity.safetensors"};
}

// Keeps the loss of every step.
class Listener : public Task {
 public:
  explicit Listener(Task& task) : task_(task) {}
  NamedTensors parameters() override { return task_.parameters(); }
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
            lora_case.unet, &lora_case.lora,
            [this](std::uint64_t n) { return lora_case.draw(n); },
            lora_case.task_config()) {}

  // The largest relative error of the losses, and absolute one of the weights.
  std::pair<double, double> errors_of_training() {
    Listener listener(task);
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
    for (const auto& [name, tensor] : lora_case.lora.named_parameters()) {
      weight = std::max(
          weight, (tensor.detach() - lora_case.fixture.at("final." + name))
                      .abs()
                      .max()
                      .item<double>());
    }
    return {loss, weight};
  }

  LoraCase lora_case;
  LatentTask task;
};

TEST_P(LoraTraining, FirstGradientsEqualDiffusers) {
  const std::int64_t batch = lora_case.global_batch();
  task.loss(0, 0, batch).backward();
  double largest = 0;
  for (const auto& [name, tensor] : lora_case.lora.named_parameters()) {
    const at::Tensor wanted = lora_case.fixture.at("grad." + name);
    const double error =
        ((tensor.grad() - wanted).norm() / wanted.norm()).item<double>();
    largest = std::max(largest, error);
  }
  std::printf(
      "check 11: gradients, largest relative error %.2g (tolerance %g)\n",
      largest, kGradientTolerance);
  EXPECT_LT(largest, kGradientTolerance);
}

TEST_P(LoraTraining, LossesAndWeightsEqualDiffusers) {
  const auto [loss, weight] = errors_of_training();
  std::printf(
      "check 11: losses, largest relative error %.2g (tolerance %g); weights, "
      "largest error %.2g (tolerance %g)\n",
      loss, kLossTolerance, weight, kWeightTolerance);
  EXPECT_LT(loss, kLossTolerance);
  EXPECT_LT(weight, kWeightTolerance);
}

TEST_P(LoraTraining, AWrongWeightShows) {
  const at::NoGradGuard no_grad;
  const std::string first = lora_case.lora.named_parameters().front().first;
  for (auto& [name, tensor] : lora_case.unet.named_parameters()) {
    if (name == "conv_in.weight") tensor.view(-1)[0].add_(0.05);
  }
  const auto [loss, weight] = errors_of_training();
  EXPECT_GT(loss, kLossTolerance);
  EXPECT_GT(weight, kWeightTolerance);
}

INSTANTIATE_TEST_SUITE_P(Cases, LoraTraining, testing::ValuesIn(fixtures()));

}  // namespace
}  // namespace sono
