// Sizes, captions and pixels of training images, and the cache of what the
// encoders make of them.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <opencv2/imgproc.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "data/image_file.h"
#include "dist/local/communicator.h"
#include "trainer/latent_cache.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

TEST(AspectBuckets, OffersSizesOfOneArea) {
  const AspectBucketConfig config;
  const auto sizes = bucket_sizes(config);
  EXPECT_GT(sizes.size(), 8u);
  for (const cv::Size size : sizes) {
    EXPECT_EQ(size.width % 64 + size.height % 64, 0);
    EXPECT_LE(size.area(), 512 * 512);
    EXPECT_GE(size.area(), 0.75 * 512 * 512);
    EXPECT_NE(std::find(sizes.begin(), sizes.end(),
                        cv::Size(size.height, size.width)),
              sizes.end());
  }
}

TEST(AspectBuckets, ChoosesTheNearestShape) {
  AspectBucketConfig config;
  EXPECT_EQ(choose_bucket(config, {100, 100}), cv::Size(512, 512));
  EXPECT_EQ(choose_bucket(config, {800, 540}), cv::Size(640, 384));
  EXPECT_EQ(choose_bucket(config, {540, 800}), cv::Size(384, 640));
  EXPECT_EQ(choose_bucket(config, {4000, 100}), cv::Size(1024, 256));
  config.no_upscale = true;
  EXPECT_EQ(choose_bucket(config, {300, 200}), cv::Size(256, 192));
  EXPECT_EQ(choose_bucket(config, {1600, 1080}), cv::Size(576, 384));
  config.aspect = false;
  EXPECT_EQ(choose_bucket(config, {800, 540}), cv::Size(512, 512));
}

TEST(AspectBuckets, CutsTheMiddle) {
  cv::Mat image = cv::Mat::zeros(100, 300, CV_8UC1);
  image(cv::Rect(100, 0, 100, 100)) = 200;
  const cv::Mat cut = fit_to_bucket(image, {64, 64});
  EXPECT_EQ(cut.size(), cv::Size(64, 64));
  EXPECT_EQ(cv::countNonZero(cut > 150), 64 * 64);
}

TEST(AspectBuckets, RefusesSizesThatCannotBe) {
  AspectBucketConfig config;
  config.step = 60;
  EXPECT_THROW(config.validate("data"), ConfigError);
  config = {};
  config.min_side = 600;
  config.max_side = 700;
  EXPECT_THROW(config.validate("data"), ConfigError);
}

class LatentImagesTest : public testing::Test {
 protected:
  LatentImagesTest()
      : dir_(fs::temp_directory_path() /
             ("sono_latent_" + std::to_string(::getpid()))) {
    fs::remove_all(dir_);
    for (const char* label : {"brain", "abdomen"}) {
      fs::create_directories(dir_ / label);
      for (const char* name : {"a", "b"}) {
        cv::Mat image(54, 80, CV_8UC1, cv::Scalar(90));
        cv::circle(image, {40, 27}, name[0] == 'a' ? 20 : 10,
                   label[0] == 'b' ? 200 : 250, -1);  // no two alike
        write_png(dir_ / label / (std::string(name) + ".png"), image);
      }
    }
    write_file_atomic(dir_ / "brain" / "a.txt", "  one head \nmore\n");
    write_file_atomic(dir_ / "abdomen" / "caption.txt", "a belly");
    config_.caption = "a scan of a {label}";
    config_.size = {
        .resolution = 64, .step = 8, .min_side = 32, .max_side = 128};
  }
  ~LatentImagesTest() override { fs::remove_all(dir_); }

  LatentImages images(const LatentImageConfig& config) {
    cohort_.emplace(open_cohort("test", dir_));
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < cohort_->size(); ++i) all.push_back(i);
    return LatentImages(*cohort_, all, config, 1);
  }
  std::string refusal(const LatentImageConfig& config) {
    try {
      images(config);
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  }

  fs::path dir_;
  LatentImageConfig config_;
  std::optional<Cohort> cohort_;
};

TEST_F(LatentImagesTest, CaptionsOfFileFolderAndTemplate) {
  const LatentImages found = images(config_);
  std::vector<std::string> captions;
  for (std::int64_t i = 0; i < found.count(); ++i) {
    captions.push_back(found.caption(i));
  }
  EXPECT_EQ(captions,
            (std::vector<std::string>{"a belly", "a belly", "one head",
                                      "a scan of a brain"}));
}

TEST_F(LatentImagesTest, NamesWhatACaptionCannotHave) {
  config_.caption = "{trimester} trimester";
  EXPECT_NE(refusal(config_).find("its trimester is not known"),
            std::string::npos);
  write_file_atomic(dir_ / "brain" / "a.txt", " \n");
  EXPECT_NE(refusal(config_).find("a.txt: is empty"), std::string::npos);
  config_.channels = "joint";
  EXPECT_NE(refusal(config_).find("has no mask"), std::string::npos);
}

TEST_F(LatentImagesTest, PixelsAreScaledAndVersionsDiffer) {
  config_.variants = 3;
  const LatentImages found = images(config_);
  const at::Tensor first = found.pixels(0, 0);
  EXPECT_EQ(first.sizes(), (std::vector<std::int64_t>{3, found.size(0).height,
                                                      found.size(0).width}));
  EXPECT_NEAR(first[0][0][0].item<double>(), 90 / 127.5 - 1, 1e-6);
  EXPECT_TRUE(at::equal(first[0], first[2]));
  EXPECT_FALSE(at::equal(first, found.pixels(0, 1)));
  EXPECT_TRUE(at::equal(found.pixels(0, 2), found.pixels(0, 2)));
  EXPECT_FALSE(at::equal(found.pixels(0, 1), found.pixels(0, 2)));
}

// Encoders whose work can be counted and told apart.
struct CountedEncoders {
  CountedEncoders() {
    frozen.encode = [this](const at::Tensor& image) {
      ++images;
      const at::Tensor small = at::avg_pool2d(image, 8);
      const at::Tensor mean = at::cat({small, small.narrow(1, 0, 1)}, 1);
      return at::cat({mean, mean - 3});
    };
    frozen.embed = [this](const std::string& caption) {
      ++captions;
      return at::full({7, 5}, static_cast<double>(caption.size()));
    };
    frozen.autoencoder_hash = "v";
    frozen.text_hash = "t";
    frozen.text_width = 5;
  }
  FrozenEncoders frozen;
  std::atomic<int> images{0}, captions{0};
};

TEST_F(LatentImagesTest, EncodesOnceOverAllRanksAndRuns) {
  at::set_num_threads(1);
  config_.variants = 2;
  const LatentImages found = images(config_);
  for (const int ranks : {3, 1}) {
    CountedEncoders encoders;
    run_local_ranks(ranks, [&](Communicator& comm) {
      at::set_num_threads(1);
      PackCache cache(dir_ / "cache");
      StopSignal stop;
      const LatentExamples examples =
          cache_latents(comm, std::make_shared<LatentImages>(found),
                        encoders.frozen, cache, stop);
      EXPECT_EQ(examples.count(), 4);
      EXPECT_EQ(examples.variants, 2);
      const LatentExample one = examples.get(2, 1);
      const at::Tensor wanted =
          at::avg_pool2d(found.pixels(2, 1).unsqueeze(0), 8)[0];
      EXPECT_TRUE(at::equal(one.mean.narrow(0, 0, 3), wanted));
      EXPECT_TRUE(at::equal(one.logvar, one.mean - 3));
      EXPECT_EQ(one.text.sizes(), (std::vector<std::int64_t>{7, 5}));
      EXPECT_EQ(one.text[0][0].item<double>(), 8);  // "one head"
      EXPECT_EQ(examples.empty_text.abs().max().item<double>(), 0);
      comm.barrier();
    });
    EXPECT_EQ(encoders.images, ranks == 3 ? 8 : 0);  // the second finds them
    EXPECT_EQ(encoders.captions, ranks == 3 ? 4 : 0);
  }
}

TEST_F(LatentImagesTest, AStopBetweenImagesKeepsWhatIsDone) {
  const LatentImages found = images(config_);
  StopSignal stop;
  stop.request();
  CountedEncoders encoders;
  const auto encode = [&](const StopSignal& signal) {
    const auto comm = make_single_rank();
    PackCache cache(dir_ / "cache");
    cache_latents(*comm, std::make_shared<LatentImages>(found), encoders.frozen,
                  cache, signal);
  };
  EXPECT_THROW(encode(stop), StopRequested);
  EXPECT_EQ(encoders.images, 1);
  encode(StopSignal());
  EXPECT_EQ(encoders.images, 4);
}

}  // namespace
}  // namespace sono
