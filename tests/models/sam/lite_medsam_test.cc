// LiteMedSAM against the Python package, on the published weights and made-up
// input. tests/parity/lite_medsam.py writes the fixture.

#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "models/io/safetensors.h"
#include "models/io/torch_pickle.h"
#include "models/sam/sam.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

// Other kernels add in another order: 4e-6 and 5e-5 were seen.
constexpr double kEmbeddingTolerance = 1e-3;
constexpr double kLogitTolerance = 2e-3;

std::filesystem::path weights_path() {
  return std::filesystem::path(SONO_SOURCE_DIR) /
         ".deps/weights/lite_medsam.pth";
}

at::Tensor made_up_image() {
  const at::Tensor line = at::arange(256, at::kLong);
  const at::Tensor x = line.view({1, 256}), y = line.view({256, 1});
  const auto floor_divide = [](const at::Tensor& a, std::int64_t b) {
    return at::div(a, b, "floor");
  };
  const at::Tensor k = floor_divide(x * x + 3 * y * y, 64) +
                       40 * ((floor_divide(x, 16) + floor_divide(y, 16)) % 2);
  return ((k % 256).to(at::kFloat) / 255).expand({1, 3, 256, 256});
}

at::Tensor sampled(const at::Tensor& tensor, std::int64_t count) {
  const at::Tensor flat = tensor.flatten();
  return flat.index_select(0,
                           at::arange(count, at::kLong) * 7919 % flat.numel());
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

class LiteMedSamTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!std::filesystem::exists(weights_path())) return;
    at::NoGradGuard no_grad;
    weights_ = new StateDict(load_torch_checkpoint(weights_path()));
    fixture_ = new StateDict(
        load_safetensors(std::filesystem::path(SONO_SOURCE_DIR) /
                         "tests/parity/fixtures/lite_medsam.safetensors"));
    model_ = new Sam;
    model_->load(*weights_, weights_path().string());
    embedding_ = new at::Tensor(model_->encode(made_up_image()));
  }

  void SetUp() override {
    if (!model_) GTEST_SKIP() << "no LiteMedSAM weights: run launch/setup";
  }

  static SamPrompts box() {
    SamPrompts prompts;
    prompts.boxes = at::tensor({60.f, 50.f, 190.f, 160.f}).unsqueeze(0);
    return prompts;
  }

  static SamPrompts points() {
    SamPrompts prompts;
    prompts.points = at::tensor({100.f, 90.f, 20.f, 30.f}).view({1, 2, 2});
    prompts.point_labels = at::tensor({1, 0}, at::kLong).unsqueeze(0);
    return prompts;
  }

  // How far the decoder's logits are from the fixture's.
  static double logit_error(
      const SamPrompts& prompts, const std::string& name,
      MaskDecoder::Output output = MaskDecoder::Output::kSingle) {
    at::NoGradGuard no_grad;
    const SamMasks masks = model_->decode(*embedding_, prompts, output);
    return largest_difference(sampled(masks.logits, 1000), fixture_->at(name));
  }

  static inline StateDict* weights_ = nullptr;
  static inline StateDict* fixture_ = nullptr;
  static inline Sam* model_ = nullptr;
  static inline at::Tensor* embedding_ = nullptr;
};

TEST_F(LiteMedSamTest, EmbeddingIsThePackages) {
  EXPECT_LE(
      largest_difference(sampled(*embedding_, 2000), fixture_->at("embedding")),
      kEmbeddingTolerance);
}

TEST_F(LiteMedSamTest, LogitsAreThePackagesForEveryPrompt) {
  EXPECT_LE(logit_error(box(), "box.logits"), kLogitTolerance);
  EXPECT_LE(logit_error(box(), "multi.logits", MaskDecoder::Output::kMulti),
            kLogitTolerance);
  EXPECT_LE(logit_error(points(), "points.logits"), kLogitTolerance);
  at::NoGradGuard no_grad;
  SamPrompts all = points();
  all.boxes = box().boxes;
  all.masks = model_->decode(*embedding_, box()).logits;
  EXPECT_LE(logit_error(all, "all.logits"), kLogitTolerance);
}

TEST_F(LiteMedSamTest, IouGuessesAreThePackages) {
  at::NoGradGuard no_grad;
  const auto single = model_->decode(*embedding_, box());
  EXPECT_LE(largest_difference(single.iou, fixture_->at("box.iou")), 1e-5);
  const auto multi =
      model_->decode(*embedding_, box(), MaskDecoder::Output::kMulti);
  EXPECT_LE(largest_difference(multi.iou, fixture_->at("multi.iou")), 1e-5);
}

TEST_F(LiteMedSamTest, AnswersManyPromptsOfOneImageAtOnce) {
  at::NoGradGuard no_grad;
  SamPrompts two;
  two.boxes =
      at::cat({box().boxes, at::tensor({0.f, 0.f, 256.f, 256.f}).unsqueeze(0)});
  const at::Tensor both = model_->decode(*embedding_, two).logits;
  ASSERT_EQ(both.sizes(), (at::IntArrayRef{2, 1, 256, 256}));
  EXPECT_LE(
      largest_difference(both[0], model_->decode(*embedding_, box()).logits[0]),
      1e-4);
}

// The comparisons above can fail: one weight of each part is changed a little.
TEST_F(LiteMedSamTest, NoticesAChangedWeight) {
  at::NoGradGuard no_grad;
  StateDict changed = *weights_;
  for (const char* name : {"image_encoder.neck.2.weight",
                           "mask_decoder.transformer.layers.1.mlp.lin2.bias"}) {
    changed[name] = changed[name].clone();
    changed[name].flatten()[5].add_(0.5);
  }
  Sam other;
  other.load(changed, "changed");
  const at::Tensor embedding = other.encode(made_up_image());
  EXPECT_GT(
      largest_difference(sampled(embedding, 2000), fixture_->at("embedding")),
      kEmbeddingTolerance);
  const at::Tensor logits = other.decode(*embedding_, box()).logits;
  EXPECT_GT(
      largest_difference(sampled(logits, 1000), fixture_->at("box.logits")),
      kLogitTolerance);
}

TEST_F(LiteMedSamTest, NamesTheWeightThatIsMissing) {
  StateDict partial = *weights_;
  partial.erase("mask_decoder.iou_token.weight");
  Sam other;
  EXPECT_ERROR(other.load(partial, "part.pth"), DataError, "part.pth",
               "missing: mask_decoder.iou_token.weight");
}

}  // namespace
}  // namespace sono
