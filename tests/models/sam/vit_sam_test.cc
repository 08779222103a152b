// SAM with a vision transformer against Meta's segment-anything and Hugging
// Face's SamModel on made-up weights. tests/parity/sam.py writes the fixture.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/io/safetensors.h"
#include "models/nn/recompute.h"
#include "models/sam/hugging_face_keys.h"
#include "models/sam/load_sam.h"
#include "tests/core/expect_error.h"
#include "tests/models/sam/tiny_sam.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

constexpr double kTolerance = 1e-4;

at::Tensor images() { return scattered("images", {2, 3, 64, 64}); }

SamPrompts box() {
  SamPrompts prompts;
  prompts.boxes = at::tensor({9.f, 12.f, 50.f, 41.f}).unsqueeze(0);
  return prompts;
}

SamPrompts points(std::int64_t count) {
  SamPrompts prompts;
  prompts.points =
      at::tensor({20.f, 30.f, 55.f, 8.f}).view({1, 2, 2}).narrow(1, 0, count);
  prompts.point_labels =
      at::tensor({1, 0}, at::kLong).unsqueeze(0).narrow(1, 0, count);
  return prompts;
}

SamPrompts mask() {
  SamPrompts prompts;
  prompts.masks = 4 * scattered("mask", {1, 1, 32, 32});
  return prompts;
}

SamPrompts all_prompts() {
  SamPrompts prompts = points(2);
  prompts.boxes = box().boxes;
  prompts.masks = mask().masks;
  return prompts;
}

class VitSamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    state_ = scattered_state(model_);
    model_.load(state_, "made-up weights");
    embedding_ = model_.encode(images());
  }

  // Of logits and IoU from the fixture's.
  double error(const std::string& name, const SamPrompts& prompts,
               MaskDecoder::Output output = MaskDecoder::Output::kSingle) {
    const at::NoGradGuard no_grad;
    const SamMasks masks =
        model_.decode(embedding_.narrow(0, 0, 1), prompts, output);
    return std::max(
        largest_difference(masks.logits, fixture_.at(name + ".logits")),
        largest_difference(masks.iou, fixture_.at(name + ".iou")));
  }

  Sam model_{tiny_sam_config()};
  StateDict state_;
  StateDict fixture_ = sam_fixture();
  at::Tensor embedding_;
};

TEST_F(VitSamTest, EmbeddingIsMetas) {
  EXPECT_LE(largest_difference(embedding_, fixture_.at("embedding")),
            kTolerance);
}

TEST_F(VitSamTest, RelativePositionsOfAnotherGridAreResizedAsMetasAre) {
  Sam other(tiny_sam_config(/*table_grid=*/11));
  other.load(scattered_state(other), "made-up weights");
  EXPECT_LE(largest_difference(other.encode(images().narrow(0, 0, 1)),
                               fixture_.at("resized_table.embedding")),
            kTolerance);
}

TEST_F(VitSamTest, MasksAndIouAreMetasForEveryPrompt) {
  EXPECT_LE(error("none", {}), kTolerance);
  EXPECT_LE(error("point", points(1)), kTolerance);
  EXPECT_LE(error("points", points(2)), kTolerance);
  EXPECT_LE(error("box", box()), kTolerance);
  EXPECT_LE(error("mask", mask()), kTolerance);
  EXPECT_LE(error("all", all_prompts()), kTolerance);
  EXPECT_LE(error("multi", box(), MaskDecoder::Output::kMulti), kTolerance);
}

// Each comparison above can fail: one number of each part is changed.
TEST_F(VitSamTest, NoticesAChangedWeightOrPrompt) {
  for (const char* name :
       {"image_encoder.blocks.0.attn.rel_pos_h",
        "image_encoder.blocks.1.attn.rel_pos_w", "image_encoder.pos_embed"}) {
    StateDict changed = state_;
    changed[name] = changed[name].clone();
    changed[name].flatten()[5].add_(0.5);
    Sam other(tiny_sam_config());
    other.load(changed, "changed");
    EXPECT_GT(
        largest_difference(other.encode(images()), fixture_.at("embedding")),
        kTolerance)
        << name;
  }
  SamPrompts moved = box();
  moved.boxes = moved.boxes + 0.5;
  EXPECT_GT(error("box", moved), kTolerance);
  EXPECT_GT(error("point", points(2)), kTolerance);
  EXPECT_GT(error("points", box()), kTolerance);
}

TEST_F(VitSamTest, AnImagesBitsDoNotDependOnTheBatch) {
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(
        at::equal(model_.encode(images().narrow(0, i, 1))[0], embedding_[i]));
  }
}

// The same bits with a graph, without, and recomputed; and gradients that
// reach every parameter of the encoder.
TEST_F(VitSamTest, GradientsAreTheSameWhenBlocksAreRecomputed) {
  model_.image_encoder().requires_grad(true);
  const at::Tensor kept = model_.image_encoder()(images());
  EXPECT_TRUE(at::equal(kept, embedding_));
  kept.square().sum().backward();
  std::map<std::string, at::Tensor> gradients;
  for (auto& [name, tensor] : model_.image_encoder().named_parameters()) {
    ASSERT_TRUE(tensor.grad().defined()) << name;
    gradients[name] = tensor.grad().clone();
    tensor.mutable_grad() = at::Tensor();
  }
  const RecomputeScope recompute(nullptr);
  const at::Tensor again = model_.image_encoder()(images());
  EXPECT_TRUE(at::equal(again, embedding_));
  again.square().sum().backward();
  for (const auto& [name, tensor] : model_.image_encoder().named_parameters()) {
    EXPECT_TRUE(at::equal(tensor.grad(), gradients.at(name))) << name;
  }
}

// ---- files ------------------------------------------------------------------

std::map<std::string, std::string> published_keys() {
  std::ifstream in(std::string(SONO_SOURCE_DIR) +
                   "/tests/parity/fixtures/sam_keys.json");
  return nlohmann::json::parse(in).get<std::map<std::string, std::string>>();
}

// Meta's weights under the names that SamModel really has.
StateDict renamed(const StateDict& state) {
  StateDict other;
  for (const auto& [theirs, ours] : published_keys()) {
    other[theirs] = state.at(ours);
  }
  return other;
}

class SamFilesTest : public VitSamTest {
 protected:
  void SetUp() override {
    VitSamTest::SetUp();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    config_ = {
        {"vision_config",
         {{"hidden_size", 32},
          {"output_channels", 16},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"image_size", 64},
          {"patch_size", 8},
          {"window_size", 3},
          {"global_attn_indexes", {1}}}},
        {"mask_decoder_config",
         {{"hidden_size", 16}, {"mlp_dim", 32}, {"num_attention_heads", 2}}}};
  }

  void save(const StateDict& state) {
    save_safetensors(folder_ / "model.safetensors", state);
    std::ofstream(folder_ / "config.json") << config_;
  }

  fs::path folder_ = fs::path(::testing::TempDir()) / "sam";
  nlohmann::json config_;
};

TEST_F(SamFilesTest, EveryNameHasItsHuggingFaceName) {
  for (const auto& [theirs, ours] : published_keys()) {
    if (theirs.find("shared") == std::string::npos) {
      EXPECT_EQ(hugging_face_sam_key(ours), theirs);
    }
  }
}

TEST_F(SamFilesTest, HuggingFacesFolderGivesItsMasks) {
  save(renamed(state_));
  const auto model = load_sam(folder_);
  const at::Tensor embedding = model->encode(images().narrow(0, 0, 1));
  EXPECT_TRUE(at::equal(embedding, model_.encode(images().narrow(0, 0, 1))));
  SamPrompts prompts = points(2);
  prompts.boxes = box().boxes;
  const at::NoGradGuard no_grad;
  EXPECT_LE(
      largest_difference(
          model->decode(embedding, prompts, MaskDecoder::Output::kMulti).logits,
          fixture_.at("hugging_face.logits")),
      kTolerance);
}

// Releases differ in where they put the position encoding.
TEST_F(SamFilesTest, TakesThePositionsUnderEitherNameButNotTwoOfThem) {
  for (const char* name : {"shared_image_embedding.positional_embedding",
                           "prompt_encoder.shared_embedding."
                           "positional_embedding"}) {
    StateDict one = renamed(state_);
    one.erase(name);
    save(one);
    EXPECT_TRUE(at::equal(load_sam(folder_)->encode(images()), embedding_));
    StateDict two = renamed(state_);
    two[name] = two[name] + 1;
    save(two);
    EXPECT_ERROR(load_sam(folder_), DataError, "model.safetensors",
                 "must be equal");
  }
}

TEST_F(SamFilesTest, ListsEveryKeyThatDoesNotFit) {
  StateDict state = renamed(state_);
  state.erase("mask_decoder.iou_token.weight");
  state["vision_encoder.extra"] = at::zeros({1});
  save(state);
  EXPECT_ERROR(load_sam(folder_), DataError,
               "missing: mask_decoder.iou_token.weight",
               "unexpected: vision_encoder.extra");
}

TEST_F(SamFilesTest, RefusesAConfigOfAnotherModel) {
  config_["vision_config"]["global_attn_indexes"] = {0};
  save(renamed(state_));
  EXPECT_ERROR(load_sam(folder_), DataError, "config.json",
               "vision_config.global_attn_indexes is [0]");
  config_ = {{"mask_decoder_config", {{"hidden_size", "16"}}}};
  save(renamed(state_));
  EXPECT_ERROR(load_sam(folder_), DataError, "config.json",
               "vision_config.hidden_size is 768");
  std::ofstream(folder_ / "config.json") << "{";
  EXPECT_ERROR(load_sam(folder_), DataError, "config.json", "JSON");
}

TEST_F(SamFilesTest, RefusesFilesThatHoldNoSam) {
  EXPECT_ERROR(load_sam(folder_), DataError, "model.safetensors");
  save({{"w", at::zeros({2})}});
  EXPECT_ERROR(load_sam(folder_), DataError, "no SAM checkpoint",
               "image_encoder.patch_embed.proj.weight");
  StateDict hostile = state_;
  hostile["image_encoder.blocks.1.mlp.lin1.weight"] = at::zeros({7});
  save(hostile);
  EXPECT_ERROR(load_sam(folder_), DataError, "blocks.1.mlp.lin1.weight");
  hostile = state_;
  hostile["image_encoder.pos_embed"] = at::zeros({1, 0, 0, 32});
  save(hostile);
  EXPECT_ERROR(load_sam(folder_), DataError, "pos_embed");
}

TEST(SamConfig, SizesFollowFromTheWeights) {
  const Sam tiny(tiny_sam_config());
  const SamConfig found = detect_sam_config(tiny.state(), "tiny");
  const auto& vit = std::get<VitConfig>(found.encoder);
  EXPECT_EQ(vit.window, 3);
  EXPECT_EQ(vit.global_blocks, std::vector<std::int64_t>{1});
  EXPECT_EQ(vit.heads, 4);
  EXPECT_EQ(found.image_size_px(), 64);
  EXPECT_EQ(found.mask_size_px(), 32);
  EXPECT_EQ(found.decoder.iou_width, 16);
  EXPECT_FALSE(detect_sam_config(Sam().state(), "lite").is_vit());
}

// Numbers of parameters as Meta's builders make them.
TEST(SamConfig, PublishedModelsHaveTheirPublishedSize) {
  const auto vit_h = std::get<VitConfig>(named_sam_config("vit_h").encoder);
  EXPECT_EQ(vit_h.global_blocks, (std::vector<std::int64_t>{7, 15, 23, 31}));
  const auto count = [](const std::string& name) {
    const Sam model(named_sam_config(name));
    std::int64_t all = 0;
    for (const auto& [key, tensor] : model.state()) all += tensor.numel();
    return all;
  };
  EXPECT_EQ(count("vit_b"), 93735728);
  EXPECT_ERROR(named_sam_config("vit_g"), ConfigError, "vit_g", "vit_h");
}

}  // namespace
}  // namespace sono
