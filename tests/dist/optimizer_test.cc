// The optimiser on a flat arena against torch.optim and diffusers' EMAModel
// (fixture by tests/parity/optimizer.py), and what it does with bad steps.

#include "dist/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/random.h"
#include "dist/gradient_norm.h"
#include "dist/local/communicator.h"

namespace sono {
namespace {

constexpr int kSteps = 50;

at::Tensor parameter(const char* name, at::IntArrayRef shape) {
  Random random(make_key(name, 3));
  at::Tensor tensor = at::empty(shape, at::kFloat);
  random.fill_normal(tensor.data_ptr<float>(), tensor.numel());
  return tensor.requires_grad_();
}

at::Tensor tensor_of(const nlohmann::json& values) {
  return at::tensor(values.get<std::vector<double>>(), at::kDouble)
      .to(at::kFloat);
}

nlohmann::json fixture() {
  return nlohmann::json::parse(read_file(
      std::string(SONO_SOURCE_DIR) + "/tests/parity/fixtures/optimizer.json"));
}

// An update by what stands in arena.grad.
void step(Optimizer& optimizer, Arena& arena, double learning_rate,
          double loss) {
  run_local_ranks(1, [&](Communicator& comm) {
    optimizer.step(arena, gradient_norm(comm, arena), learning_rate, loss);
  });
}

// Largest absolute difference from the peer after kSteps updates.
double difference(const nlohmann::json& wanted, OptimizerOptions options) {
  options.kind = wanted.at("kind");
  options.weight_decay = wanted.at("weight_decay");
  options.clip_norm = wanted.at("clip_norm");
  options.ema_decay = wanted.at("ema_decay");
  if (options.ema_power == 0) options.ema_power = wanted.at("ema_power");
  options.ema_begin = wanted.at("ema_begin");
  const at::Tensor start = tensor_of(wanted.at("start"));
  Arena arena({{"w", start.clone().requires_grad_()}}, {.with_ema = true});
  Optimizer optimizer(options);
  const at::Tensor target = tensor_of(wanted.at("target"));
  for (int i = 0; i < kSteps; ++i) {
    // The gradient of sum((w - target)^2 * (1 + i % 3)).
    const at::Tensor w = arena.layout().views(arena.params.data)[0].second;
    at::Tensor g = arena.layout().views(arena.grad.data)[0].second;
    g.copy_((w - target) * (2.0 * (1 + i % 3)));
    step(optimizer, arena, wanted.at("learning_rate"), 0.0);
  }
  const auto gap = [&](const at::Tensor& flat, const char* key) {
    const at::Tensor mine = arena.layout().views(flat)[0].second;
    return (mine - tensor_of(wanted.at(key))).abs().max().item<double>();
  };
  return std::max(gap(arena.params.data, "end"), gap(arena.ema.data, "ema"));
}

TEST(OptimizerTest, EqualsTorchOptimOverFiftySteps) {
  // 1e-6: values near 1 in fp32, where one unit in the last place is 1.2e-7.
  for (const auto& wanted : fixture().at("cases")) {
    EXPECT_LT(difference(wanted, {}), 1e-6) << wanted.at("kind");
  }
}

TEST(OptimizerTest, ParityTestSeesAWrongBeta) {
  OptimizerOptions wrong;
  wrong.beta1 = 0.8;
  for (const auto& wanted : fixture().at("cases")) {
    EXPECT_GT(difference(wanted, wrong), 1e-4) << wanted.at("kind");
  }
}

TEST(OptimizerTest, ParityTestSeesAWrongRiseOfTheAverage) {
  OptimizerOptions wrong;
  wrong.ema_power = 0.5;
  for (const auto& wanted : fixture().at("cases")) {
    EXPECT_GT(difference(wanted, wrong), 1e-4) << wanted.at("kind");
  }
}

// Each parameter as if it were alone, cut where no vector of a kernel ends.
TEST(OptimizerTest, GroupsHaveLearningRatesOfTheirOwn) {
  const auto make = [] {
    return NamedTensors{{"a", parameter("a", {13})},
                        {"b", parameter("b", {7, 9})}};
  };
  OptimizerOptions options;
  options.clip_norm = 0;
  const auto after = [&](const std::vector<double>& factors, double rate) {
    Arena arena(make(), {.with_ema = true});
    Optimizer optimizer(options, rate_groups(arena.layout(), factors));
    for (int i = 0; i < 3; ++i) {
      arena.grad.data.copy_(arena.params.data * (i + 1));
      step(optimizer, arena, rate, 0.0);
    }
    std::vector<at::Tensor> values;
    for (const auto& [name, view] : arena.layout().views(arena.params.data)) {
      values.push_back(view.clone());
    }
    return values;
  };
  const auto split = after({1, 0.5}, 0.1);
  EXPECT_TRUE(at::equal(split[0], after({}, 0.1)[0]));
  EXPECT_TRUE(at::equal(split[1], after({}, 0.05)[1]));
  EXPECT_FALSE(at::equal(split[1], after({}, 0.1)[1]));
  EXPECT_TRUE(at::equal(after({2, 2}, 0.05)[1], after({}, 0.1)[1]));
}

TEST(GradientNormTest, EqualsTheDoublePrecisionNorm) {
  Random random(make_key("test.norm", 1));
  at::Tensor flat = at::empty({200000}, at::kFloat);
  random.fill_normal(flat.data_ptr<float>(), flat.numel());
  const double expected = flat.to(at::kDouble).norm().item<double>();
  double squares = 0;
  for (const double block : block_squares(flat)) squares += block;
  EXPECT_NEAR(std::sqrt(squares), expected, 1e-9 * expected);
}

TEST(OptimizerTest, NonFiniteStepChangesNothingAndIsCounted) {
  Arena arena({{"w", parameter("w", {4, 5})}}, {.with_ema = true});
  Optimizer optimizer({});
  arena.grad.data.fill_(1.0f);
  step(optimizer, arena, 0.1, 1.0);
  const at::Tensor before = arena.params.data.clone();
  arena.grad.data[3] = std::numeric_limits<float>::infinity();
  step(optimizer, arena, 0.1, 1.0);
  arena.grad.data.fill_(1.0f);
  step(optimizer, arena, 0.1, std::nan(""));
  EXPECT_TRUE(at::equal(arena.params.data, before));
  EXPECT_EQ(optimizer.state.updates, 1);
  EXPECT_EQ(optimizer.state.skipped, 2);
  step(optimizer, arena, 0.1, 1.0);
  EXPECT_EQ(optimizer.state.skipped_in_row, 0);
  EXPECT_FALSE(at::equal(arena.params.data, before));
}

TEST(OptimizerTest, TenNonFiniteStepsInARowDiverge) {
  Arena arena({{"w", parameter("w", {4})}}, {});
  Optimizer optimizer({});
  for (int i = 0; i < 9; ++i) step(optimizer, arena, 0.1, std::nan(""));
  EXPECT_THROW(step(optimizer, arena, 0.1, std::nan("")), DivergedError);
}

TEST(ArenaTest, ParametersBecomeViewsAndKeepTheirValues) {
  at::Tensor w = parameter("w", {3, 3});
  at::Tensor b = parameter("b", {2});
  const at::Tensor w_before = w.detach().clone();
  Arena arena({{"w", w}, {"b", b}}, {});
  EXPECT_TRUE(at::equal(w, w_before));
  arena.params.data.fill_(2.0f);
  EXPECT_TRUE(at::equal(w, at::full({3, 3}, 2.0f)));
  (w.sum() * 3).backward();
  EXPECT_TRUE(at::equal(w.grad(), at::full({3, 3}, 3.0f)));
  EXPECT_FALSE(b.grad().defined());
}

TEST(ArenaTest, FrozenOrHalfParameterIsRefused) {
  EXPECT_THROW(Arena({{"w", at::zeros({2})}}, ArenaOptions()), Error);
  EXPECT_THROW(Arena({{"w", at::zeros({2}, at::kHalf).requires_grad_()}},
                     ArenaOptions()),
               Error);
}

}  // namespace
}  // namespace sono
