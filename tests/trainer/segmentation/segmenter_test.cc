// The segmenter on real images against the Python package, and its caches.

#include "trainer/segmenter.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/error.h"
#include "data/cohort.h"
#include "models/io/safetensors.h"
#include "tests/core/expect_error.h"
#include "trainer/frozen_features.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

fs::path data_folder() {
  const char* data = std::getenv("SONO_DATA");
  return data ? fs::path(data) : fs::path(SONO_SOURCE_DIR) / "../shared/data";
}

fs::path weights_path() {
  return fs::path(SONO_SOURCE_DIR) / ".deps/weights/lite_medsam.pth";
}

class SegmenterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(weights_path())) {
      GTEST_SKIP() << "no LiteMedSAM weights: run launch/setup";
    }
    if (!fs::exists(data_folder() / "hc18")) {
      GTEST_SKIP() << "no HC18 images in " << data_folder()
                   << ": set SONO_DATA to a folder that holds hc18";
    }
    if (!segmenter_) {
      segmenter_ = std::make_unique<Segmenter>(Segmenter::load(weights_path()));
    }
    if (!cohort_) {
      cohort_ =
          std::make_unique<Cohort>(open_cohort("hc18", data_folder() / "hc18"));
    }
  }

  static Sample sample(const std::string& id) {
    for (std::size_t i = 0; i < cohort_->size(); ++i) {
      if (cohort_->info(i).id == id) return cohort_->load(i);
    }
    throw Error("no image " + id);
  }

  static at::Tensor sampled(const at::Tensor& tensor, std::int64_t count) {
    const at::Tensor flat = tensor.flatten();
    return flat.index_select(
        0, at::arange(count, at::kLong) * 7919 % flat.numel());
  }

  static inline std::unique_ptr<Segmenter> segmenter_;
  static inline std::unique_ptr<Cohort> cohort_;
};

TEST_F(SegmenterTest, RealImagesGiveThePackagesEmbeddingsAndLogits) {
  const StateDict fixture =
      load_safetensors(fs::path(SONO_SOURCE_DIR) /
                       "tests/parity/fixtures/lite_medsam.safetensors");
  for (const char* id : {"010_HC", "134_HC", "300_HC"}) {
    const std::string name = std::string("real.") + id;
    const Sample real = sample(id);
    const at::Tensor embedding = segmenter_->encode(real.image);
    EXPECT_LE((sampled(embedding, 500) - fixture.at(name + ".embedding"))
                  .abs()
                  .max()
                  .item<double>(),
              1e-3)
        << id;
    const at::Tensor logits =
        segmenter_->logits(embedding, SamFrame(real.image.size()).whole());
    EXPECT_LE((sampled(logits, 500) - fixture.at(name + ".logits"))
                  .abs()
                  .max()
                  .item<double>(),
              2e-3)
        << id;
  }
}

TEST_F(SegmenterTest, CachedEmbeddingsHaveTheBitsOfFreshOnes) {
  const fs::path folder = fs::path(::testing::TempDir()) / "features";
  fs::remove_all(folder);
  const cv::Mat image = sample("010_HC").image;
  const at::Tensor fresh = segmenter_->encode(image);
  {
    PackCache cache(folder);
    FrozenFeatures features(*segmenter_, &cache);
    EXPECT_TRUE(at::equal(features.embedding(image), fresh));
    EXPECT_TRUE(at::equal(features.embedding(image), fresh));
    EXPECT_EQ(features.num_computed(), 1u);
  }
  PackCache cache(folder);
  FrozenFeatures features(*segmenter_, &cache, /*max_in_memory=*/1);
  EXPECT_TRUE(at::equal(features.embedding(image), fresh));
  EXPECT_EQ(features.num_computed(), 0u);
  // Another image, or the same with one grey level changed, is another key.
  cv::Mat other = image.clone();
  other.rowRange(100, 200).setTo(255);
  EXPECT_FALSE(at::equal(features.embedding(other), fresh));
  EXPECT_EQ(features.num_computed(), 1u);
}

TEST_F(SegmenterTest, ATunedDecoderIsLoadedAndTakenBack) {
  const cv::Mat image = sample("134_HC").image;
  const at::Tensor embedding = segmenter_->encode(image);
  const Box box = SamFrame(image.size()).whole();
  const at::Tensor published = segmenter_->logits(embedding, box);
  StateDict tuned = segmenter_->tuned_state();
  tuned["mask_decoder.mask_tokens.weight"] =
      tuned["mask_decoder.mask_tokens.weight"] + 0.5;
  const fs::path path = fs::path(::testing::TempDir()) / "tuned.safetensors";
  save_safetensors(path, tuned);
  segmenter_->use_tuned(path, "tuned");
  EXPECT_EQ(segmenter_->encoder_hash(), segmenter_->weights_hash());
  EXPECT_FALSE(at::equal(segmenter_->logits(embedding, box), published));
  segmenter_->use_published();
  EXPECT_TRUE(at::equal(segmenter_->logits(embedding, box), published));
}

TEST_F(SegmenterTest, RefusesWeightsThatDoNotFit) {
  EXPECT_ERROR(Segmenter::load("/nonexistent.pth"), DataError,
               "/nonexistent.pth");
  const fs::path path = fs::path(::testing::TempDir()) / "wrong.safetensors";
  save_safetensors(path, {{"w", at::zeros({2})}});
  EXPECT_ERROR(segmenter_->use_tuned(path, "wrong"), DataError,
               "wrong.safetensors", "w is of no part");
  EXPECT_ERROR(segmenter_->set_tuned_parts(TunedParts::kWhole, {}), ConfigError,
               "segment.parts", "LiteMedSAM");
}

}  // namespace
}  // namespace sono
