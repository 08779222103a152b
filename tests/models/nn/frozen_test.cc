// Frozen layers in their faster form: the results and gradients of the plain
// one, and never those of weights that are gone.

#include "models/nn/frozen.h"

#include <gtest/gtest.h>

#include "core/random.h"
#include "models/nn/layers.h"

namespace sono {
namespace {

at::Tensor normal(const char* name, at::IntArrayRef shape) {
  Random random(make_key(name, 1));
  at::Tensor tensor = at::empty(shape, at::kFloat);
  random.fill_normal(tensor.data_ptr<float>(), tensor.numel());
  return tensor;
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// `conv` has channels that no vector divides; `wide` has others.
class Pair : public Module {
 public:
  Pair()
      : conv(24, 17, {.kernel = 3, .padding = 1}),
        wide(32, 28, {.kernel = 3, .padding = 1}),
        strided(24, 24, {.kernel = 3, .stride = 2, .padding = 1}) {
    add_module("conv", conv);
    add_module("wide", wide);
    add_module("strided", strided);
    initialize(3);
  }
  Conv2d conv, wide, strided;
};

class FrozenConvolution : public testing::TestWithParam<Conv2d Pair::*> {
 protected:
  Conv2d& conv() { return pair.*GetParam(); }
  Pair pair;
};

TEST_P(FrozenConvolution, GivesTheSameForAnySize) {
  const at::NoGradGuard no_grad;
  const std::int64_t sizes[][3] = {{1, 1, 1},  {2, 3, 5},   {3, 4, 4},
                                   {1, 2, 9},  {2, 16, 17}, {1, 33, 8},
                                   {2, 33, 40}};
  for (const auto& [batch, height, width] : sizes) {
    const at::Tensor x =
        normal("x", {batch, conv().weight.size(1), height, width});
    const at::Tensor wanted = conv()(x);
    prepare_frozen(pair);
    EXPECT_LT(difference(conv()(x), wanted), 1e-5) << x.sizes();
    // The negative control: it is another way of computing, after all.
    if (x.numel() > 1000) {
      EXPECT_FALSE(at::equal(conv()(x), wanted));
    }
    forget_frozen(pair);
    EXPECT_TRUE(at::equal(conv()(x), wanted));
  }
}

TEST_P(FrozenConvolution, InputGradientIsThePlainOne) {
  for (const std::int64_t side : {3, 6, 15, 24, 40}) {
    const at::Tensor& w = conv().weight;
    const at::Tensor start = normal("x", {2, w.size(1), side, side + 1});
    const at::Tensor weights = normal("w", {2, w.size(0), side, side + 1});
    const auto gradient = [&] {
      const at::Tensor x = start.clone().requires_grad_();
      (conv()(x) * weights).sum().backward();
      return x.grad();
    };
    const at::Tensor wanted = gradient();
    prepare_frozen(pair);
    EXPECT_LT(difference(gradient(), wanted), 1e-5) << side;
    forget_frozen(pair);
  }
}

INSTANTIATE_TEST_SUITE_P(Channels, FrozenConvolution,
                         testing::Values(&Pair::conv, &Pair::wide));

TEST(Frozen, ReadsMapsInAnyMemoryFormat) {
  const at::NoGradGuard no_grad;
  Pair pair;
  prepare_frozen(pair);
  const at::Tensor x = normal("x", {2, 24, 6, 7});
  EXPECT_TRUE(at::equal(pair.conv(x.contiguous(at::MemoryFormat::ChannelsLast)),
                        pair.conv(x)));
}

TEST(Frozen, ForgetsWeightsThatChange) {
  Pair pair;
  prepare_frozen(pair);
  const at::Tensor x = normal("x", {1, 24, 6, 6});
  {
    const at::NoGradGuard no_grad;
    pair.conv.weight.mul_(2);
    const at::Tensor wanted =
        at::conv2d(x, pair.conv.weight, pair.conv.bias, 1, 1);
    EXPECT_TRUE(at::equal(pair.conv(x), wanted));
    StateDict state = pair.state();
    for (auto& [name, tensor] : state) tensor = tensor * 3;
    pair.adopt_state(state, "memory");
    EXPECT_TRUE(at::equal(
        pair.conv(x),
        at::conv2d(x, state.at("conv.weight"), state.at("conv.bias"), 1, 1)));
  }
  prepare_frozen(pair);
  pair.requires_grad(true);
  pair.conv(x).sum().backward();
  EXPECT_TRUE(pair.conv.weight.grad().defined());
}

TEST(Frozen, TakesTheSmallestFirstUpToItsLimit) {
  Pair pair;
  const std::int64_t small = 24 * 17 * 16 * 4, large = 32 * 28 * 16 * 4;
  EXPECT_EQ(prepare_frozen(pair), small + large);
  EXPECT_EQ(pair.conv.winograd->nbytes(), small);
  EXPECT_EQ(pair.strided.winograd, nullptr);
  forget_frozen(pair);
  EXPECT_EQ(prepare_frozen(pair, large), small);
  EXPECT_EQ(pair.wide.winograd, nullptr);
  forget_frozen(pair);
  EXPECT_EQ(prepare_frozen(pair, 10), 0);
}

class LinearPart : public Module {
 public:
  LinearPart() : linear(320, 257) {
    add_module("linear", linear);
    initialize(3);
  }
  Linear linear;
};

TEST(FrozenLinear, GivesTheSameResultAndInputGradient) {
  LinearPart part;
  part.requires_grad(false);
  for (const std::int64_t rows : {1, 16, 77, 200}) {
    const at::Tensor start = normal("x", {2, rows, 320});
    const at::Tensor weights = normal("w", {2, rows, 257});
    const auto run = [&] {
      const at::Tensor x = start.clone().requires_grad_();
      const at::Tensor y = part.linear(x);
      (y * weights).sum().backward();
      return std::pair{y.detach(), x.grad()};
    };
    const auto [y, gradient] = run();
    prepare_frozen(part);
    const auto [other, other_gradient] = run();
    forget_frozen(part);
    EXPECT_LT(difference(other, y), 2e-5) << rows;
    EXPECT_LT(difference(other_gradient, gradient), 2e-5) << rows;
    EXPECT_EQ(other.sizes(), y.sizes());
  }
}

TEST(FrozenLinear, WeightsThatAreTrainedOrChangedAreThoseInUse) {
  LinearPart part;
  prepare_frozen(part);
  part.requires_grad(true);
  part.linear(normal("x", {32, 320})).sum().backward();
  EXPECT_GT(part.linear.weight.grad().abs().max().item<double>(), 0);
  part.requires_grad(false);
  const at::NoGradGuard no_grad;
  const at::Tensor x = normal("x", {32, 320}), before = part.linear(x);
  part.linear.weight.mul_(2);
  part.linear.bias.mul_(2);
  EXPECT_LT(difference(part.linear(x), 2 * before), 2e-5);
}

}  // namespace
}  // namespace sono
