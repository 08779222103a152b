// Recomputed blocks give the bits of kept ones, each parameter's gradient once,
// and say when a block is in use.

#include "models/nn/recompute.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <map>

#include "core/random.h"
#include "models/unet/unet.h"

namespace sono {
namespace {

UNetConfig small_config() {
  UNetConfig config;
  config.in_channels = 2;
  config.out_channels = 2;
  config.block_out_channels = {8, 16};
  config.attention = {false, true};
  config.layers_per_block = 2;
  config.norm_num_groups = 4;
  return config;
}

at::Tensor normal(const char* name, at::IntArrayRef shape) {
  Random random(make_key(name, 1));
  at::Tensor tensor = at::empty(shape, at::kFloat);
  random.fill_normal(tensor.data_ptr<float>(), tensor.numel());
  return tensor;
}

// Counts runs; a block is never entered twice at once.
class Counter : public BlockObserver {
 public:
  void before(const Module& block) override {
    EXPECT_EQ(in_use, nullptr);
    in_use = &block;
    ++runs[&block];
  }
  void after(const Module& block) override {
    EXPECT_EQ(in_use, &block);
    in_use = nullptr;
  }
  const Module* in_use = nullptr;
  std::map<const Module*, int> runs;
};

// Gradients of all parameters, then of the input.
std::vector<at::Tensor> gradients(UNet& unet, bool recompute,
                                  BlockObserver* observer = nullptr) {
  unet.requires_grad(true);
  for (auto& [name, tensor] : unet.named_parameters()) {
    tensor.mutable_grad() = at::Tensor();
  }
  at::Tensor sample = normal("sample", {2, 2, 9, 6}).requires_grad_();
  {
    std::optional<RecomputeScope> scope;
    if (recompute) scope.emplace(observer);
    const at::Tensor out = unet(sample, at::tensor({3, 700}, at::kLong));
    (out - normal("target", {2, 2, 9, 6})).square().sum().backward();
  }
  std::vector<at::Tensor> all;
  for (auto& [name, tensor] : unet.named_parameters()) {
    all.push_back(tensor.grad());
  }
  all.push_back(sample.grad());
  return all;
}

TEST(RecomputeTest, GradientsHaveTheSameBits) {
  at::set_num_threads(1);
  UNet unet(small_config());
  unet.initialize(4);
  const auto kept = gradients(unet, false);
  const auto again = gradients(unet, true);
  ASSERT_EQ(kept.size(), again.size());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    ASSERT_TRUE(again[i].defined());
    EXPECT_TRUE(at::equal(kept[i], again[i])) << "tensor " << i;
  }
}

TEST(RecomputeTest, EveryBlockRunsOnceForwardAndOnceInBackward) {
  UNet unet(small_config());
  unet.initialize(4);
  Counter counter;
  gradients(unet, true, &counter);
  const auto blocks = unet.blocks();
  EXPECT_EQ(counter.runs.size(), blocks.size());
  EXPECT_GE(blocks.size(), 10u);
  for (const Module* block : blocks) EXPECT_EQ(counter.runs[block], 2);
}

TEST(RecomputeTest, WithoutGradientsABlockRunsOnce) {
  UNet unet(small_config());
  unet.initialize(4);
  Counter counter;
  const RecomputeScope scope(&counter);
  const at::NoGradGuard no_grad;
  unet(normal("sample", {1, 2, 8, 8}), at::tensor({3}, at::kLong));
  for (const Module* block : unet.blocks()) EXPECT_EQ(counter.runs[block], 1);
}

TEST(RecomputeTest, InputChangedInPlaceIsAnError) {
  // What backward would see is not what forward saw.
  UNet unet(small_config());
  unet.initialize(4);
  unet.requires_grad(true);
  const RecomputeScope scope(nullptr);
  const Module& block = *unet.blocks().front();
  at::Tensor x = normal("x", {3}).requires_grad_() * 1;
  const at::Tensor y = run_block(
      block, {x}, [](const auto& inputs) { return inputs[0] * inputs[0]; });
  x.add_(1);
  EXPECT_THROW(y.sum().backward(), c10::Error);
}

}  // namespace
}  // namespace sono
