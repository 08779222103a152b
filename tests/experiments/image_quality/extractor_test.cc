// Extractors: Inception v3 against torch-fidelity with weights that both sides
// compute by formula (tests/parity/image_quality.py), texture, TorchScript.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "core/random.h"
#include "experiments/image_quality/feature_extractor.h"
#include "models/inception/inception_v3.h"
#include "models/io/safetensors.h"

namespace sono {
namespace {

const char kFixtures[] = SONO_SOURCE_DIR "/tests/parity/fixtures/";

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

at::Tensor formula(const std::string& name, const at::Tensor& like) {
  int phase = 0;
  for (std::size_t k = 0; k < name.size(); ++k) {
    phase += static_cast<unsigned char>(name[k]) * static_cast<int>(k + 1);
  }
  const at::Tensor index = at::arange(like.numel(), at::kDouble);
  at::Tensor values =
      at::frac(at::sin(index * 12.9898 + phase % 1009) * 43758.5453);
  if (ends_with(name, "conv.weight")) {
    values = values * std::sqrt(6.0 / static_cast<double>(like[0].numel()));
  } else if (ends_with(name, "bn.weight") || ends_with(name, "running_var")) {
    values = 1 + 0.3 * values;
  } else {
    values = 0.1 * values;
  }
  return values.reshape(like.sizes()).to(at::kFloat);
}

StateDict formula_weights() {
  StateDict state;
  for (const auto& [name, tensor] : InceptionV3().state()) {
    state[name] = formula(name, tensor);
  }
  return state;
}

at::Tensor image(double phase) {
  const at::Tensor y = at::arange(75, at::kDouble).unsqueeze(1);
  const at::Tensor x = at::arange(90, at::kDouble).unsqueeze(0);
  const at::Tensor wave = at::sin(x * 0.13 + phase) * at::cos(y * 0.21 - phase);
  return ((wave + at::sin(x * y * 0.01) + 2) * 63.75)
      .round()
      .clamp(0, 255)
      .to(at::kFloat)
      .expand({1, 3, 75, 90});
}

// Largest error relative to the features' own spread.
double inception_error(const StateDict& weights) {
  const at::Tensor wanted =
      load_safetensors(std::string(kFixtures) + "image_quality.safetensors")
          .at("inception");
  InceptionV3 network;
  network.load(weights, "formula");
  const at::Tensor made =
      network.features(at::cat({image(0.3), image(1.1)})).slice(1, 0, 2048, 4);
  return ((made - wanted).abs().max() / wanted.std()).item<double>();
}

TEST(Inception, EqualsTorchFidelity) {
  const double error = inception_error(formula_weights());
  EXPECT_LT(error, 1e-4);
  std::printf("check 20: max error %.2e (tolerance 1e-4)\n", error);
}

TEST(Inception, AWrongWeightShows) {
  StateDict weights = formula_weights();
  at::Tensor& weight = weights.at("Mixed_6c.branch7x7dbl_4.conv.weight");
  weight = weight.flip(2);
  EXPECT_GT(inception_error(weights), 1e-3);
}

TEST(Inception, RefusesAFileWithAMissingWeight) {
  StateDict weights = formula_weights();
  weights.erase("Mixed_7c.branch_pool.bn.bias");
  weights["fc.weight"] = at::zeros({1008, 2048});  // published, not used
  try {
    InceptionV3().load(weights, "weights.pth");
    FAIL() << "accepted";
  } catch (const DataError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("weights.pth"), std::string::npos);
    EXPECT_NE(text.find("Mixed_7c.branch_pool.bn.bias"), std::string::npos);
    EXPECT_EQ(text.find("fc.weight"), std::string::npos);
  }
}

cv::Mat noise_image(std::uint64_t seed) {
  cv::Mat grey(60, 80, CV_8UC1);
  Random random(make_key("test.image", seed));
  for (int i = 0; i < 60 * 80; ++i) {
    grey.data[i] = static_cast<std::uint8_t>(random.below(256));
  }
  return grey;
}

TEST(Texture, TellsBlurFromNoiseAndNotNoiseFromNoise) {
  const auto extractor = texture_extractor();
  cv::Mat blurred;
  cv::GaussianBlur(noise_image(1), blurred, {5, 5}, 1.5);
  const at::Tensor one = extractor->features(noise_image(1));
  const at::Tensor two = extractor->features(noise_image(2));
  const at::Tensor soft = extractor->features(blurred);
  EXPECT_EQ(one.numel(), 70);
  EXPECT_TRUE(one.isfinite().all().item<bool>());
  EXPECT_GT((one - soft).norm().item<double>(),
            10 * (one - two).norm().item<double>());
  EXPECT_TRUE(extractor->features(cv::Mat(40, 40, CV_8UC1, cv::Scalar(7)))
                  .isfinite()
                  .all()
                  .item<bool>());
}

TEST(ScriptExtractor, RunsANetworkFromAFile) {
  const auto extractor =
      script_extractor(std::string(kFixtures) + "extractor.pt");
  cv::Mat grey(20, 30, CV_8UC1, cv::Scalar(51));
  grey.at<std::uint8_t>(3, 4) = 255;
  const at::Tensor features = extractor->features(grey);
  ASSERT_EQ(features.numel(), 3);
  EXPECT_NEAR(features[0].item<double>(), (51 * 599.0 + 255) / 600 / 255, 1e-6);
  EXPECT_NEAR(features[1].item<double>(), 1, 1e-6);
}

TEST(ScriptExtractor, RefusesOtherFilesByName) {
  const auto path = std::filesystem::path(testing::TempDir()) / "no_script.pt";
  std::ofstream(path) << "not a network";
  try {
    script_extractor(path);
    FAIL() << "accepted";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("no_script.pt"),
              std::string::npos);
  }
  std::filesystem::remove(path);
}

TEST(Extractor, IsNamedByAnOption) {
  EXPECT_EQ(make_extractor("--space", "texture")->name(), "texture");
  for (const char* wrong : {"inception", "texture:x", "vgg:file", ""}) {
    EXPECT_THROW(make_extractor("--space", wrong), ConfigError) << wrong;
  }
  EXPECT_THROW(make_extractor("--space", "inception:/no/such/file.pth"), Error);
}

}  // namespace
}  // namespace sono
