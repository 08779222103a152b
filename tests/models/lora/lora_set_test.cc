// The choice of layers, and what a set of additions does to its model.

#include "models/lora/lora_set.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "models/nn/recompute.h"
#include "tests/models/lora/tiny_net.h"

namespace sono {
namespace {

std::vector<std::string> chosen(const LoraConfig& config) {
  TinyNet net;
  std::vector<std::string> paths;
  for (const auto& target : choose_targets(net, config, "unet", "lora")) {
    paths.push_back(target.path);
  }
  return paths;
}

template <class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(LoraTargets, NamedSetsAndPatterns) {
  EXPECT_EQ(chosen({}).size(), 8u);
  EXPECT_EQ(chosen({.targets = {"attention+ff"}}).size(), 12u);
  EXPECT_EQ(chosen({.targets = {"conv"}}),
            (std::vector<std::string>{"down_blocks.0.resnets.0.conv1",
                                      "down_blocks.0.resnets.0.time_emb_proj",
                                      "down_blocks.0.downsamplers.0.conv"}));
  EXPECT_EQ(chosen({.targets = {"attention+ff", "conv"}}).size(), 15u);
  EXPECT_EQ(chosen({.targets = {"attn2.to_k", "*.proj_out"}}).size(), 2u);
  EXPECT_EQ(chosen({.targets = {"attentions.*.proj_in"}}).size(), 1u);
}

TEST(LoraTargets, RanksAndAlphasByPattern) {
  TinyNet net;
  LoraConfig config{.rank = 4,
                    .alpha = 2,
                    .rank_pattern = {"attn2.to_k:8", "to_k:1"},
                    .alpha_pattern = {"attn1.to_q:0.5"},
                    .rslora = true};
  for (const auto& target : choose_targets(net, config, "unet", "lora")) {
    const bool k2 = matches_path(target.path, "attn2.to_k");
    const bool k1 = matches_path(target.path, "attn1.to_k");
    const bool q1 = matches_path(target.path, "attn1.to_q");
    EXPECT_EQ(target.rank, k2 ? 8 : k1 ? 1 : 4);
    EXPECT_EQ(target.alpha, q1 ? 0.5 : 2);
    EXPECT_NEAR(target.scale(), target.alpha / std::sqrt(double(target.rank)),
                1e-12);
  }
}

TEST(LoraTargets, NamesWhatFitsNothing) {
  const auto refused = [](const LoraConfig& config) {
    return message_of([&] { chosen(config); });
  };
  EXPECT_EQ(refused({.targets = {"attention", "to_z"}}),
            "option lora.targets: no layer of the unet fits 'to_z'; take "
            "attention, attention+ff, conv, or the end of a module's path");
  EXPECT_EQ(refused({.rank_pattern = {"conv1:2"}}),
            "option lora.rank_pattern: no chosen layer of the unet fits "
            "'conv1'");
  EXPECT_EQ(refused({.rank_pattern = {"to_k=2"}}),
            "option lora.rank_pattern: 'to_k=2' is not PATTERN:NUMBER, like "
            "attn2.to_k:8");
  EXPECT_NE(refused({.rank_pattern = {"to_k:2.5"}}).find("whole number"),
            std::string::npos);
  EXPECT_NE(refused({.rank = 0}).find("lora.rank = 0"), std::string::npos);
}

class LoraSetTest : public testing::Test {
 protected:
  std::vector<LoraTarget> targets(const LoraConfig& config = {}) {
    return choose_targets(tiny.net, config, "unet", "lora");
  }
  TinyFixture tiny;
};

TEST_F(LoraSetTest, StartsAsTheIdentityAndFreezesTheModel) {
  tiny.net.requires_grad(true);
  LoraSet lora(tiny.net, targets({.targets = {"attention+ff", "conv"}}));
  lora.initialize(1);
  EXPECT_LT(difference(tiny.run(), tiny.base.at("output")), 1e-6);
  for (const auto& [name, tensor] : tiny.net.named_parameters()) {
    EXPECT_FALSE(tensor.requires_grad()) << name;
  }
  EXPECT_FALSE(
      tiny.net.state().count("down_blocks.0.resnets.0.conv1.lora_A.weight"));
}

TEST_F(LoraSetTest, GaussianAndKaimingStarts) {
  for (const char* init : {"gaussian", "kaiming"}) {
    LoraSet lora(tiny.net, targets({.targets = {"conv"}, .rank = 64}), init);
    lora.initialize(1);
    const at::Tensor down =
        lora.state().at("down_blocks.0.resnets.0.conv1.lora_A.weight");
    // 1/64; a uniform's bound over sqrt(3), fan-in 6 * 9.
    const double wanted =
        init == std::string("gaussian") ? 1.0 / 64 : 1 / std::sqrt(54.0 * 3);
    EXPECT_NEAR(down.std().item<double>(), wanted, 0.05 * wanted);
    EXPECT_EQ(lora.state()
                  .at("down_blocks.0.resnets.0.conv1.lora_B.weight")
                  .abs()
                  .max()
                  .item<double>(),
              0);
  }
}

TEST_F(LoraSetTest, StrengthZeroIsTheModel) {
  LoraSet lora(tiny.net, targets());
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : lora.named_parameters()) tensor.fill_(0.3);
  EXPECT_GT(difference(tiny.run(), tiny.base.at("output")), 1e-3);
  lora.set_strength(0);
  EXPECT_LT(difference(tiny.run(), tiny.base.at("output")), 1e-6);
}

TEST_F(LoraSetTest, TwoSetsOnOneLayerAreRefused) {
  LoraSet lora(tiny.net, targets());
  EXPECT_THROW(LoraSet(tiny.net, targets({.targets = {"to_q"}})), ConfigError);
  LoraSet other(tiny.net, targets({.targets = {"conv"}}));
  other.initialize(1);
  lora.merge_for_good();
  LoraSet second(tiny.net, targets());
}

TEST_F(LoraSetTest, DropoutDependsOnTheSampleAlone) {
  LoraSet lora(tiny.net, targets({.targets = {"attention", "conv"}}));
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : lora.named_parameters()) tensor.fill_(0.3);
  const at::Tensor without = tiny.run();
  lora.set_dropout(0.5, 7);
  EXPECT_TRUE(at::equal(tiny.run(), without));  // no samples named
  lora.set_dropout_samples({10, 11});
  const at::Tensor both = tiny.run();
  EXPECT_GT(difference(both, without), 1e-3);
  const auto row = [&](const char* name, int i) {
    return tiny.base.at(name).narrow(0, i, 1);
  };
  lora.set_dropout_samples({11});
  const at::Tensor second =
      tiny.net(row("x", 1), row("context", 1), row("emb", 1));
  EXPECT_LT(difference(second, both.narrow(0, 1, 1)), 1e-6);
  lora.set_dropout_samples({12});
  const at::Tensor other =
      tiny.net(row("x", 1), row("context", 1), row("emb", 1));
  EXPECT_GT(difference(second, other), 1e-3);
}

// A recomputed block must give its additions the gradients it would otherwise.
struct Blocked : Module {
  explicit Blocked(TinyFixture& f) : fixture(f) {
    add_module("net", fixture.net);
  }
  TinyFixture& fixture;
};

TEST_F(LoraSetTest, RecomputedBlocksGiveGradients) {
  LoraSet lora(tiny.net, targets({.targets = {"attention+ff", "conv"}}));
  {
    const at::NoGradGuard no_grad;
    for (auto& [name, tensor] : lora.named_parameters()) tensor.fill_(0.1);
  }
  lora.requires_grad(true);
  const auto gradients = [&] {
    const at::Tensor out =
        run_block(tiny.net, {tiny.base.at("x")}, [&](const auto& inputs) {
          return tiny.net(inputs[0], tiny.base.at("context"),
                          tiny.base.at("emb"));
        });
    out.square().mean().backward();
    std::vector<at::Tensor> all;
    for (auto& [name, tensor] : lora.named_parameters()) {
      all.push_back(tensor.grad().clone());
      tensor.mutable_grad() = at::Tensor();
    }
    return all;
  };
  const auto kept = gradients();
  const RecomputeScope scope(nullptr);
  const auto recomputed = gradients();
  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_GT(kept[i].abs().max().item<double>(), 0);
    EXPECT_TRUE(at::equal(kept[i], recomputed[i]));
  }
}

TEST_F(LoraSetTest, Bf16ModelKeepsFp32Additions) {
  LoraSet lora(tiny.net, targets({.targets = {"attention+ff", "conv"}}));
  {
    const at::NoGradGuard no_grad;
    for (auto& [name, tensor] : lora.named_parameters()) tensor.fill_(0.1);
  }
  const at::Tensor fine = tiny.run();
  for (auto& [name, tensor] : tiny.net.named_parameters()) {
    tensor.set_data(tensor.to(at::kBFloat16));
  }
  const auto half = [&](const char* name) {
    return tiny.base.at(name).to(at::kBFloat16);
  };
  lora.requires_grad(true);
  const at::Tensor coarse = tiny.net(half("x"), half("context"), half("emb"));
  EXPECT_EQ(coarse.scalar_type(), at::kBFloat16);
  EXPECT_LT((coarse.to(at::kFloat) - fine).norm().item<double>(),
            2e-2 * fine.norm().item<double>());
  coarse.to(at::kFloat).square().mean().backward();
  for (auto& [name, tensor] : lora.named_parameters()) {
    EXPECT_EQ(tensor.grad().scalar_type(), at::kFloat) << name;
  }
}

}  // namespace
}  // namespace sono
