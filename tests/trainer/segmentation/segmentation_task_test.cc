#include "trainer/segmentation_task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "models/io/safetensors.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

StateDict fixture() {
  return load_safetensors(std::string(SONO_SOURCE_DIR) +
                          "/tests/parity/fixtures/lite_medsam.safetensors");
}

TEST(DiceCrossEntropy, ValueAndGradientAreMonais) {
  const StateDict expected = fixture();
  at::Tensor logits = expected.at("loss.logits").clone().requires_grad_();
  const at::Tensor loss =
      dice_cross_entropy(logits, expected.at("loss.target"));
  loss.backward();
  EXPECT_NEAR(loss.item<double>(), expected.at("loss.value").item<double>(),
              1e-6);
  EXPECT_LE(
      (logits.grad() - expected.at("loss.grad")).abs().max().item<double>(),
      1e-6);
}

TEST(DiceCrossEntropy, NoticesAnotherTarget) {
  const StateDict expected = fixture();
  at::Tensor target = expected.at("loss.target").clone();
  target[0][0][3][3] = 1 - target[0][0][3][3];
  EXPECT_GT(std::abs(dice_cross_entropy(expected.at("loss.logits"), target)
                         .item<double>() -
                     expected.at("loss.value").item<double>()),
            1e-6);
}

// A pool of made-up views that records what was asked of it.
struct MadeUpPool {
  std::vector<std::pair<std::int64_t, std::int64_t>> asked;

  TrainingPool pool(std::int64_t count, std::int64_t variants) {
    return {count, variants, [this](std::int64_t i, std::int64_t v) {
              asked.emplace_back(i, v);
              const double shade = 0.1 * static_cast<double>(i + 1);
              at::Tensor target = at::zeros({256, 256});
              target.slice(0, 40, 120).slice(1, 50, 150).fill_(1);
              return TrainingView{at::full({1, 256, 64, 64}, shade), target,
                                  Box{50, 40, 149, 119}, Box{0, 0, 256, 173}};
            }};
  }
};

class SegmentationTaskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    model_.initialize(3);
    StateDict state;
    for (const auto& [name, tensor] : model_.state()) {
      state[name] = tensor.clone();
    }
    model_.load(state, "random weights");
  }

  Sam model_;
  MadeUpPool real_, synthetic_;
};

TEST_F(SegmentationTaskTest, TakesHalfOfTheViewsFromTheSyntheticImages) {
  SegmentationTask task(model_, real_.pool(3, 2), synthetic_.pool(4, 1),
                        {.batch_size = 4});
  for (int step = 0; step < 3; ++step) (void)task.loss(step, 0, 4);
  EXPECT_EQ(real_.asked.size(), 6u);
  EXPECT_EQ(synthetic_.asked.size(), 6u);
  // Two epochs of the real images: each once with variant 0, once with 1.
  const std::set<std::pair<std::int64_t, std::int64_t>> seen(
      real_.asked.begin(), real_.asked.end());
  EXPECT_EQ(seen.size(), 6u);
}

TEST_F(SegmentationTaskTest, OneSetTakesEveryImageOnceAnEpoch) {
  SegmentationTaskConfig config{.batch_size = 6};
  config.one_set = true;
  SegmentationTask task(model_, real_.pool(2, 2), synthetic_.pool(4, 1),
                        config);
  for (int step = 0; step < 2; ++step) (void)task.loss(step, 0, 6);
  // Two images of six, whatever the number of synthetic ones: not a half.
  using Asked = std::vector<std::pair<std::int64_t, std::int64_t>>;
  std::sort(real_.asked.begin(), real_.asked.end());
  EXPECT_EQ(real_.asked, (Asked{{0, 0}, {0, 1}, {1, 0}, {1, 1}}));
  EXPECT_EQ(synthetic_.asked.size(), 8u);
  EXPECT_EQ(std::set(synthetic_.asked.begin(), synthetic_.asked.end()).size(),
            4u);
}

TEST_F(SegmentationTaskTest, LossIsTheSumOfItsParts) {
  SegmentationTask task(model_, real_.pool(3, 1), {}, {.batch_size = 3});
  at::NoGradGuard no_grad;
  const double whole = task.loss(1, 0, 3).item<double>();
  const double parts =
      task.loss(1, 0, 1).item<double>() + task.loss(1, 1, 3).item<double>();
  EXPECT_NEAR(whole, parts, 1e-5 * whole);
  EXPECT_DOUBLE_EQ(whole, task.loss(1, 0, 3).item<double>());
}

TEST_F(SegmentationTaskTest, EveryParameterGetsAGradientAndNoOther) {
  SegmentationTask task(model_, real_.pool(2, 1), {}, {.batch_size = 2});
  task.loss(0, 0, 2).backward();
  std::set<std::string> tuned;
  for (const auto& [name, tensor] : task.parameters()) {
    EXPECT_TRUE(tensor.grad().defined()) << name;
    tuned.insert(name);
  }
  EXPECT_TRUE(tuned.count("mask_decoder.mask_tokens.weight"));
  for (const auto& [name, tensor] : model_.named_parameters()) {
    EXPECT_EQ(tensor.requires_grad(), tuned.count(name) == 1) << name;
  }
}

TEST_F(SegmentationTaskTest, RefusesToTrainOnNothing) {
  EXPECT_ERROR(SegmentationTask(model_, {}, {}, {}), DataError, "no images");
}

}  // namespace
}  // namespace sono
