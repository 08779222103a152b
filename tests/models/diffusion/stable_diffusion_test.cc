// Text to image against diffusers' StableDiffusionPipeline
// (tests/parity/stable_diffusion.py). STABLE_DIFFUSION_FIXTURE=FILE takes
// another fixture, of full size (tests/parity/full/stable_diffusion).

#include "models/diffusion/stable_diffusion.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "core/error.h"
#include "core/safetensors_header.h"
#include "models/io/safetensors.h"
#include "models/lora/lora_set.h"
#include "tests/core/expect_error.h"
#include "tests/models/peer_weights.h"

namespace sono {
namespace {

// Thirty calls of the network, each of which feeds the next.
constexpr double kTolerance = 1e-3;

const std::string kSmall =
    SONO_SOURCE_DIR "/tests/parity/fixtures/stable_diffusion.safetensors";
const char* const kOther = std::getenv("STABLE_DIFFUSION_FIXTURE");
const std::string kFixture = kOther ? kOther : kSmall;

// The peer's model: configs of the fixture, weights drawn from names.
class DrawnModel : public Pretrained {
 public:
  bool has(ModelPart) const override { return true; }
  ConfigJson config(ModelPart part) const override {
    return {read_header(kFixture).metadata.at(part_name(part)), kFixture};
  }
  ConfigJson scheduler_config() const override { return {"{}", kFixture}; }
  std::filesystem::path tokenizer_folder() const override {
    return SONO_SOURCE_DIR "/tests/parity/fixtures/clip_tokenizer";
  }

 protected:
  StateDict state(ModelPart, const StateDict& own) const override {
    StateDict drawn;
    for (const auto& [name, tensor] : own) {
      drawn[name] = drawn_peer_weight(name, tensor.sizes());
    }
    return drawn;
  }
  std::string source(ModelPart) const override { return kFixture; }
};

SchedulerFile scheduler() {
  SchedulerFile file;
  file.sampler.kind = "unipc";
  file.sampler.spacing = "leading";
  file.sampler.steps_offset = 1;
  return file;
}

class TextToImage : public testing::Test {
 protected:
  TextToImage()
      : fixture(load_safetensors(kFixture)), model(DrawnModel(), scheduler()) {
    request.prompts = {"ultrasound of a fetal head", "a"};
    request.seeds = {1, 2};
    request.sampler = model.sampler();
    request.noise = fixture.at("input.noise");
    const std::int64_t factor = model.vae().config().downscale();
    request.height = request.noise.size(2) * factor;
    request.width = request.noise.size(3) * factor;
  }
  bool lacks(const std::string& name) const {
    return fixture.count("latents." + name) == 0;
  }

  void expect_peer(const std::string& name) {
    const at::Tensor latents = model.sample_latents(request);
    const at::Tensor wanted = fixture.at("latents." + name);
    const double error = (latents - wanted).abs().max().item<double>();
    const double largest = std::max(1.0, wanted.abs().max().item<double>());
    EXPECT_LT(error, kTolerance * largest);
    const at::Tensor levels = to_bytes(model.to_images(latents)).to(at::kInt) -
                              fixture.at("image." + name).to(at::kInt);
    const at::Tensor off = levels.abs();
    EXPECT_LE(off.max().item<int>(), 1);
    std::printf(
        "check 9, %s: latents up to %.3g, largest error %.2g; %.4f %% of the "
        "pixels a grey level off\n",
        name.c_str(), largest, error,
        100 * off.gt(0).to(at::kDouble).mean().item<double>());
  }
  double distance(const std::string& name) {
    return (model.sample_latents(request) - fixture.at("latents." + name))
        .abs()
        .max()
        .item<double>();
  }

  StateDict fixture;
  StableDiffusion model;
  TextToImageRequest request;
};

TEST_F(TextToImage, PublishedSizeEqualsDiffusers) {
  if (lacks("full")) GTEST_SKIP() << "not in the small fixture";
  request.sampler.num_steps = 2;
  expect_peer("full");
  request.guidance_scale = 7.4;
  EXPECT_GT(distance("full"), kTolerance);
}

class SmallTextToImage : public TextToImage {
 protected:
  void SetUp() override {
    if (kOther) GTEST_SKIP() << "of the small fixture";
  }
};

TEST_F(SmallTextToImage, LorasWithAStrengthEqualDiffusers) {
  const auto attached = [](Module& module) {
    LoraConfig config;
    config.rank = 4;
    config.alpha = 2;
    auto lora = std::make_unique<LoraSet>(
        module, choose_targets(module, config, "model", "lora"));
    draw_peer_weights(*lora, "lora.");
    return lora;
  };
  const auto unet = attached(model.unet()),
             text = attached(model.text_encoder());
  unet->set_strength(0.9);
  text->set_strength(0.9);
  request.sampler.num_steps = 10;
  expect_peer("lora");
  text->set_strength(0.8);
  EXPECT_GT(distance("lora"), kTolerance);
}

TEST_F(SmallTextToImage, GuidedEqualsDiffusers) {
  request.sampler.num_steps = 30;
  expect_peer("guided");
  request.guidance_scale = 7.4;
  EXPECT_GT(distance("guided"), kTolerance);
}

TEST_F(SmallTextToImage, NegativePromptAndRescaleEqualDiffusers) {
  request.sampler.num_steps = 5;
  request.guidance_scale = 3;
  request.guidance_rescale = 0.7;
  request.negative_prompts = {"noise", "a blurred image"};
  expect_peer("negative");
  request.negative_prompts = {"noise"};
  EXPECT_GT(distance("negative"), kTolerance);
}

TEST_F(SmallTextToImage, ClipSkipWithoutGuidanceEqualsDiffusers) {
  request.sampler.num_steps = 4;
  request.guidance_scale = 1;
  request.clip_skip = 2;
  expect_peer("plain");
  request.clip_skip = 1;
  EXPECT_GT(distance("plain"), kTolerance);
}

TEST_F(SmallTextToImage, ImageDoesNotDependOnItsBatch) {
  request.sampler.kind = "euler_ancestral";
  request.sampler.num_steps = 4;
  request.noise = at::Tensor();
  const at::Tensor both = model.sample_latents(request);
  request.prompts = {"a"};
  request.seeds = {2};
  const at::Tensor alone = model.sample_latents(request);
  EXPECT_LT((both.slice(0, 1) - alone).abs().max().item<double>(), kTolerance);
  request.seeds = {3};
  EXPECT_GT((model.sample_latents(request) - alone).abs().max().item<double>(),
            0.1);
}

TEST_F(SmallTextToImage, RefusesRequestsThatDoNotFit) {
  const auto refused = [&](const auto& change, const char* word) {
    TextToImageRequest wrong = request;
    change(wrong);
    EXPECT_ERROR(model.sample_latents(wrong), ConfigError, word);
  };
  refused([](auto& r) { r.seeds = {1}; }, "seeds");
  refused([](auto& r) { r.height = 9; }, "height");
  refused([](auto& r) { r.prompts.clear(); }, "no prompt");
  refused([](auto& r) { r.negative_prompts.resize(3); }, "negative prompts");
  refused([](auto& r) { r.guidance_rescale = 2; }, "guidance_rescale");
  refused([](auto& r) { r.control.emplace(); }, "control");
}

}  // namespace
}  // namespace sono
