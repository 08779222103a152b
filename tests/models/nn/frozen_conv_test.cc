// Convolutions with frozen weights: as at::conv2d, for less memory.

#include "models/nn/frozen_conv.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "models/nn/layers.h"

namespace sono {
namespace {

struct Shape {
  std::int64_t batch, in, out, kernel, stride, padding, height, width;
};

// From both sides of the choice between product and kernel, and products of few
// pixels and more.
const Shape kShapes[] = {
    {1, 3, 5, 3, 1, 1, 7, 6},       {2, 4, 4, 1, 1, 0, 5, 5},
    {2, 6, 8, 3, 2, 1, 9, 8},       {1, 1280, 1280, 3, 1, 1, 4, 3},
    {2, 1280, 1280, 3, 2, 1, 5, 4}, {2, 2560, 3584, 1, 1, 0, 3, 3},
    {1, 1280, 1280, 3, 1, 1, 5, 4}, {2, 2560, 3584, 1, 1, 0, 3, 6}};

at::Tensor values(at::IntArrayRef shape, double step) {
  const auto count = c10::multiply_integers(shape);
  return at::sin(at::arange(count, at::kFloat) * step).view(shape);
}

at::Tensor gradient(const at::Tensor& output, const at::Tensor& input) {
  return torch::autograd::grad({output.square().sum()}, {input})[0];
}

double relative(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

TEST(FrozenConv, EqualsTheConvolution) {
  for (const Shape& s : kShapes) {
    const at::Tensor weight = values({s.out, s.in, s.kernel, s.kernel}, 0.37);
    const at::Tensor bias = values({s.out}, 0.7);
    const at::Tensor x =
        values({s.batch, s.in, s.height, s.width}, 0.11).requires_grad_();
    const at::Tensor wanted = at::conv2d(x, weight, bias, s.stride, s.padding);
    const at::Tensor got = frozen_conv2d(x, weight, bias, s.stride, s.padding);
    ASSERT_EQ(got.sizes(), wanted.sizes());
    EXPECT_LT(relative(got, wanted), 1e-5) << s.in << " " << s.kernel;
    EXPECT_LT(relative(gradient(got, x), gradient(wanted, x)), 1e-5)
        << s.in << " " << s.kernel;
    const at::Tensor without =
        frozen_conv2d(x, weight, {}, s.stride, s.padding);
    EXPECT_LT(relative(got - bias.view({-1, 1, 1}), without), 1e-5);
  }
}

TEST(FrozenConv, AnImageDoesNotDependOnItsBatch) {
  for (const Shape& s : kShapes) {
    if (s.batch == 1) continue;
    const at::Tensor weight = values({s.out, s.in, s.kernel, s.kernel}, 0.37);
    const at::Tensor x = values({s.batch, s.in, s.height, s.width}, 0.11);
    const at::Tensor both = frozen_conv2d(x, weight, {}, s.stride, s.padding);
    const at::Tensor second =
        frozen_conv2d(x.narrow(0, 1, 1), weight, {}, s.stride, s.padding);
    EXPECT_LT(relative(second, both.narrow(0, 1, 1)), 1e-6);
  }
}

TEST(FrozenConv, DoesNotKeepItsInput) {
  Conv2d conv(4, 4, {.padding = 1});
  conv.initialize(1);
  const at::Tensor leaf = at::ones({1, 4, 8, 8}).requires_grad_();
  const at::Tensor x = leaf + 1;
  conv.requires_grad(true);
  const at::Tensor trained = conv(x);
  EXPECT_GT(x.use_count(), 1);
  conv.requires_grad(false);
  const at::Tensor y = leaf + 1;
  const at::Tensor frozen = conv(y);
  EXPECT_EQ(y.use_count(), 1);
  EXPECT_TRUE(frozen.requires_grad());
}

TEST(FrozenConv, WithoutAnyGradientThereIsNoGraph) {
  Conv2d conv(4, 4, {.padding = 1});
  conv.initialize(1);
  EXPECT_FALSE(conv(at::ones({1, 4, 8, 8})).requires_grad());
}

}  // namespace
}  // namespace sono
