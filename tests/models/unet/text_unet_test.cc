// The text-conditioned UNet against diffusers' UNet2DConditionModel
// (tests/parity/networks.py), whole and by blocks.

#include <gtest/gtest.h>

#include "models/nn/frozen.h"
#include "models/nn/recompute.h"
#include "models/unet/config_file.h"
#include "models/unet/unet.h"
#include "tests/models/peer_weights.h"

namespace sono {
namespace {

// fp32 of the same formula in another order of additions; the deeper, the more.
constexpr double kTolerance = 1e-4, kFullTolerance = 1e-3;
constexpr double kFullRelative = 1e-5;

class TextUNet : public testing::TestWithParam<const char*> {
 protected:
  TextUNet() : fixture(GetParam()), unet(read_unet_config(fixture.config())) {
    draw_peer_weights(unet);
  }

  UNetCondition condition() const {
    UNetCondition c{.text = fixture["input.text"]};
    if (fixture.tensors().count("input.class_ids")) {
      c.class_ids = fixture["input.class_ids"];
    }
    return c;
  }
  at::Tensor run(const UNetCondition& c) const {
    const at::NoGradGuard no_grad;
    return unet(fixture["input.sample"], fixture["input.timesteps"], c);
  }
  void expect_equal(const at::Tensor& got, const std::string& key) const {
    EXPECT_LT(fixture.error(got, key),
              fixture.full() ? kFullTolerance : kTolerance);
    if (fixture.full()) {
      EXPECT_LT(relative_error(got, fixture[key]), kFullRelative);
    }
  }

  PeerFixture fixture;
  UNet unet;
};

TEST_P(TextUNet, EqualsDiffusers) { expect_equal(run(condition()), "output"); }

TEST_P(TextUNet, EqualsDiffusersForABatchOfOne) {
  const at::NoGradGuard no_grad;
  UNetCondition c = condition();
  c.text = c.text.slice(0, 2);
  if (c.class_ids.defined()) c.class_ids = c.class_ids.slice(0, 2);
  expect_equal(unet(fixture["input.sample"].slice(0, 2), at::tensor({500}), c),
               "output.one");
}

TEST_P(TextUNet, FrozenFormEqualsDiffusers) {
  EXPECT_GT(prepare_frozen(unet), 0);
  expect_equal(run(condition()), "output");
}

TEST_P(TextUNet, AnotherTimeOrTextShows) {
  const at::NoGradGuard no_grad;
  const UNetCondition c = condition();
  const at::Tensor late =
      unet(fixture["input.sample"], fixture["input.timesteps"] + 1, c);
  UNetCondition other = c;
  other.text = c.text + 0.01;
  EXPECT_GT((late - fixture["output"]).abs().max().item<double>(), 1e-3);
  EXPECT_GT((run(other) - fixture["output"]).abs().max().item<double>(), 1e-3);
}

TEST_P(TextUNet, PreparedTextGivesTheSameBits) {
  UNetCondition c = condition();
  const at::Tensor wanted = run(c);
  const TextContext text = unet.prepare_text(c.text);
  c.text = at::Tensor();
  c.prepared_text = &text;
  EXPECT_TRUE(at::equal(run(c), wanted));
}

TEST_P(TextUNet, PreparedTimesGiveTheSame) {
  UNetCondition c = condition();
  if (c.class_ids.defined()) GTEST_SKIP() << "classes need their own times";
  const TimeTable times = unet.prepare_times({7, 500, 3});
  const at::NoGradGuard no_grad;
  const at::Tensor& sample = fixture["input.sample"];
  const at::Tensor wanted = unet(sample, at::full({3}, 500, at::kLong), c);
  c.times = &times;
  c.step = 1;
  const at::Tensor got = unet(sample, {}, c);
  EXPECT_LT((got - wanted).abs().max().item<double>(), 1e-5);
  c.step = 2;
  EXPECT_GT((unet(sample, {}, c) - wanted).abs().max().item<double>(), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Networks, TextUNet,
                         testing::Values("text_unet", "text_unet_2"));

class TinyTextUNet : public TextUNet {
 protected:
  void SetUp() override {
    if (fixture.full()) GTEST_SKIP() << "not in the full fixture";
  }

  // The stage `name`, alone, on the input that the peer's had.
  template <class Run>
  void expect_stage(const std::string& name, Module& module, const Run& run) {
    draw_peer_weights(module, name + ".");
    const at::NoGradGuard no_grad;
    EXPECT_LT(fixture.error(run(fixture["stage." + name + ".input"]),
                            "stage." + name + ".output"),
              kTolerance / 10)
        << name;
  }
};

TEST_P(TinyTextUNet, EachBlockEqualsDiffusers) {
  const TransformerOptions options{
      .channels = 32, .heads = 8, .text_width = 32, .groups = 8};
  const TextContext text{fixture["input.text"].slice(0, 0, 1)};
  Transformer2D transformer(options);
  expect_stage("down_blocks.0.attentions.0", transformer,
               [&](const at::Tensor& x) { return transformer(x, text); });
  BasicTransformerBlock block(options);
  expect_stage(
      "down_blocks.0.attentions.0.transformer_blocks.0", block,
      [&](const at::Tensor& x) { return block(x, text.tokens, text); });
  FeedForward ff(32);
  expect_stage("down_blocks.0.attentions.0.transformer_blocks.0.ff", ff, ff);
}

TEST_P(TinyTextUNet, ResnetAndMiddleEqualDiffusers) {
  const at::NoGradGuard no_grad;
  TimestepEmbedding time_embedding(32, 128);
  draw_peer_weights(time_embedding, "time_embedding.");
  const at::Tensor sinusoids =
      sinusoidal_embedding(at::tensor({0}), {.channels = 32});
  const TextContext text{fixture["input.text"].slice(0, 0, 1)};
  const LayerCondition condition{.time = at::silu(time_embedding(sinusoids)),
                                 .text = &text};
  ResnetBlock resnet({.in_channels = 32,
                      .out_channels = 32,
                      .time_channels = 128,
                      .groups = 8});
  expect_stage("down_blocks.0.resnets.0", resnet,
               [&](const at::Tensor& x) { return resnet(x, condition); });
  StageOptions options{
      .time_channels = 128, .groups = 8, .attention = StageAttention::kText};
  options.transformer = {.heads = 8, .text_width = 32, .groups = 8};
  MidBlock middle(options, 64);
  expect_stage("mid_block", middle,
               [&](const at::Tensor& x) { return middle(x, condition); });
}

TEST_P(TinyTextUNet, SinusoidsEqualDiffusers) {
  const at::Tensor t = at::tensor({0, 1, 500, 999});
  for (const int shift : {0, 1}) {
    const at::Tensor got =
        sinusoidal_embedding(t, {.channels = 32,
                                 .flip_sin_to_cos = shift == 0,
                                 .freq_shift = static_cast<double>(shift)});
    EXPECT_LT(fixture.error(got, "output.sinusoid." + std::to_string(shift)),
              1e-6);
  }
}

TEST_P(TinyTextUNet, EveryParameterMatters) {
  // The negative control, for each tensor: a shift in it must show.
  const at::NoGradGuard no_grad;
  const at::Tensor before = run(condition());
  for (auto& [name, tensor] : unet.named_parameters()) {
    const at::Tensor kept = tensor.clone();
    tensor.add_(at::linspace(0.1, 0.5, tensor.numel()).view(tensor.sizes()));
    EXPECT_GT((run(condition()) - before).abs().max().item<double>(),
              kTolerance)
        << name;
    tensor.copy_(kept);
  }
}

TEST_P(TinyTextUNet, GradientsEqualDiffusers) {
  for (const bool recompute : {false, true}) {
    unet.requires_grad(true);
    if (recompute) prepare_frozen(unet);  // without effect: nothing is frozen
    for (auto& [name, tensor] : unet.named_parameters()) {
      tensor.mutable_grad() = at::Tensor();
    }
    UNetCondition c = condition();
    c.text = c.text.clone().requires_grad_();
    const at::Tensor sample = fixture["input.sample"].clone().requires_grad_();
    {
      std::optional<RecomputeScope> scope;
      if (recompute) scope.emplace(nullptr);
      unet(sample, fixture["input.timesteps"], c).square().mean().backward();
    }
    int compared = 0;
    for (const auto& [name, tensor] : unet.named_parameters()) {
      if (!fixture.tensors().count("grad." + name)) continue;
      EXPECT_LT(relative_error(tensor.grad(), fixture["grad." + name]), 1e-4)
          << name;
      ++compared;
    }
    EXPECT_GT(compared, 20);
    EXPECT_LT(relative_error(sample.grad(), fixture["grad.sample"]), 1e-4);
    EXPECT_LT(relative_error(c.text.grad(), fixture["grad.text"]), 1e-4);
  }
}

TEST_P(TinyTextUNet, Bf16EqualsDiffusers) {
  // The same dtype on both sides; of seven bits each, a few are noise.
  unet.adopt_state(unet.state(), "memory", at::kBFloat16);
  const at::Tensor got = run(condition());
  EXPECT_EQ(got.scalar_type(), at::kBFloat16);
  EXPECT_LT(relative_error(got.to(at::kFloat), fixture["output.bf16"]), 2e-2);
  EXPECT_GT(relative_error(got.to(at::kFloat), fixture["output"]), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Networks, TinyTextUNet, testing::Values("text_unet"));

}  // namespace
}  // namespace sono
