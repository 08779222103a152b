// LoRA against peft and diffusers (tests/parity/lora.py): outputs, gradients
// and merged weights of each kind of layer, scale and file.

#include <gtest/gtest.h>

#include "models/io/safetensors.h"
#include "tests/models/lora/tiny_net.h"

namespace sono {
namespace {

constexpr double kTolerance = 1e-5;
constexpr double kMergeTolerance = 1e-6;
const std::string kBlock = "down_blocks.0.attentions.0.transformer_blocks.0.";

class LoraParity : public testing::TestWithParam<const char*> {
 protected:
  LoraParity()
      : expected(load_safetensors(
            lora_fixture(GetParam() + std::string("/expected.safetensors")))),
        loras(attach_lora(read_lora(lora_fixture(GetParam())), tiny.models())) {
  }
  LoraSet& lora() { return *loras.at(0).second; }
  double error() const { return difference(tiny.run(), expected.at("output")); }

  TinyFixture tiny;
  StateDict expected;
  OwnedLoras loras;
};

TEST_P(LoraParity, OutputEqualsPeft) {
  EXPECT_LT(error(), kTolerance);
  lora().detach();
  EXPECT_LT(difference(tiny.run(), tiny.base.at("output")), kTolerance);
}

TEST_P(LoraParity, EveryMatrixAndTheScaleMatter) {
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : lora().named_parameters()) {
    const at::Tensor kept = tensor.clone();
    tensor.add_(at::linspace(0.1, 0.5, tensor.numel()).view(tensor.sizes()));
    EXPECT_GT(error(), kTolerance) << name;
    tensor.copy_(kept);
  }
  lora().set_strength(1.01);
  EXPECT_GT(error(), kTolerance);
}

TEST_P(LoraParity, GradientsEqualPeft) {
  lora().requires_grad(true);
  tiny.run().square().mean().backward();
  for (const auto& [name, tensor] : lora().named_parameters()) {
    const at::Tensor wanted = expected.at("grad." + name);
    EXPECT_LT((tensor.grad() - wanted).norm().item<double>(),
              1e-4 * wanted.norm().item<double>())
        << name;
  }
  for (const auto& [name, tensor] : tiny.net.named_parameters()) {
    EXPECT_FALSE(tensor.grad().defined()) << name;
  }
}

TEST_P(LoraParity, MergesAsPeftAndBack) {
  const StateDict before = load_safetensors(lora_fixture("base.safetensors"));
  lora().merge();
  EXPECT_LT(difference(tiny.run(), expected.at("merged_output")), kTolerance);
  EXPECT_LT(difference(tiny.net.attn2.to_v.weight, expected.at("merged.to_v")),
            kMergeTolerance);
  EXPECT_LT(difference(tiny.net.conv1.weight, expected.at("merged.conv1")),
            kMergeTolerance);
  lora().unmerge();
  for (const auto& [name, tensor] : tiny.net.state()) {
    EXPECT_TRUE(at::equal(tensor, before.at("param." + name))) << name;
  }
  EXPECT_LT(error(), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Cases, LoraParity,
                         testing::Values("attention", "alpha", "conv", "rslora",
                                         "patterns"));

TEST(LoraFiles, DiffusersAndKohyaFilesSayTheSameAsPeft) {
  for (const auto& [folder, peft] :
       {std::pair{"diffusers", "patterns"}, {"kohya", "alpha"}}) {
    TinyFixture tiny;
    const auto loras =
        attach_lora(read_lora(lora_fixture(folder)), tiny.models());
    const StateDict expected = load_safetensors(
        lora_fixture(peft + std::string("/expected.safetensors")));
    EXPECT_LT(difference(tiny.run(), expected.at("output")), kTolerance)
        << folder;
  }
}

TEST(LoraFiles, KnowsRankAlphaAndScaleOfEachLayer) {
  std::map<std::string, LoraTarget> targets;
  TinyFixture tiny;
  const auto loras =
      attach_lora(read_lora(lora_fixture("patterns")), tiny.models());
  for (const auto& target : loras[0].second->targets()) {
    targets[target.path] = target;
  }
  EXPECT_EQ(targets.at(kBlock + "attn1.to_q").scale(), 1);
  EXPECT_EQ(targets.at(kBlock + "attn2.to_k").rank, 3);
  EXPECT_NEAR(targets.at(kBlock + "attn2.to_k").scale(), 2.0 / 3, 1e-12);
  EXPECT_EQ(targets.at(kBlock + "attn1.to_v").scale(), 0.5);
  EXPECT_EQ(targets.at("down_blocks.0.resnets.0.conv1").scale(), 0.5);
}

}  // namespace
}  // namespace sono
