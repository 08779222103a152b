// SAM's pre- and post-processing against Pillow, Meta's ResizeLongestSide and
// Hugging Face's SamImageProcessor; tests/parity/sam_pixels.py writes the
// fixture.

#include "trainer/sam_pixels.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/hash.h"
#include "data/pil_resize.h"
#include "tests/models/sam/tiny_sam.h"

namespace sono {
namespace {

using Json = nlohmann::json;

Json fixture() {
  std::ifstream in(std::string(SONO_SOURCE_DIR) +
                   "/tests/parity/fixtures/sam_pixels.json");
  return Json::parse(in);
}

cv::Mat made_up(const std::string& name, int height, int width, int channels) {
  const at::Tensor noise = scattered(name, {height, width, channels});
  const float* value = noise.data_ptr<float>();
  cv::Mat image(height, width, CV_8UC(channels));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        image.ptr(y)[x * channels + c] =
            static_cast<std::uint8_t>((static_cast<double>(*value++) + 1) * 64 +
                                      100 * ((x / 9 + y / 7) % 2));
      }
    }
  }
  return image;
}

cv::Mat image_of(const Json& c) {
  return made_up(c["name"], c["height"], c["width"], c["channels"]);
}

std::string pixel_hash(const cv::Mat& image) {
  return sha256_hex({reinterpret_cast<const char*>(image.data),
                     image.total() * image.elemSize()});
}

// Of sampled values from the fixture's.
double error(const at::Tensor& tensor, const Json& expected) {
  const at::Tensor flat = tensor.flatten();
  double largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto index = static_cast<std::int64_t>(i) * 7919 % flat.numel();
    largest = std::max(largest, std::abs(flat[index].item<double>() -
                                         expected[i].get<double>()));
  }
  return largest;
}

TEST(PilResize, GivesPillowsBytes) {
  const cv::Mat image = made_up("small", 61, 83, 1);
  const std::map<std::string, cv::Size> sizes = {{"40x30", {40, 30}},
                                                 {"83x9", {83, 9}},
                                                 {"5x61", {5, 61}},
                                                 {"166x122", {166, 122}},
                                                 {"1x1", {1, 1}}};
  const Json expected = fixture()["resize"];
  ASSERT_EQ(expected.size(), sizes.size());
  for (const auto& [name, size] : sizes) {
    EXPECT_EQ(pixel_hash(resize_as_pil(image, size)), expected[name]) << name;
  }
  // The hash notices one grey level.
  cv::Mat other = resize_as_pil(image, {40, 30});
  other.at<std::uint8_t>(3, 4) ^= 1;
  EXPECT_NE(pixel_hash(other), expected["40x30"]);
}

TEST(SamPixels, ImagesAreMetasAndHuggingFaces) {
  for (const Json& c : fixture()["cases"]) {
    const cv::Mat image = image_of(c);
    const SamFrame frame(image.size(), 1024);
    EXPECT_EQ(frame.size.height, c["resized"][0]) << c["name"];
    EXPECT_EQ(frame.size.width, c["resized"][1]) << c["name"];
    EXPECT_LE(error(sam_pixels(image, frame), c["pixels"]), 1e-5) << c["name"];
    const cv::Mat darker = image * 0.98;
    EXPECT_GT(error(sam_pixels(darker, frame), c["pixels"]), 1e-5);
  }
}

TEST(SamPixels, ResizedImagesHavePillowsBytes) {
  for (const Json& c : fixture()["cases"]) {
    const cv::Mat image = image_of(c);
    cv::Mat resized = resize_as_pil(image, SamFrame(image.size(), 1024).size);
    // The fixture's has three channels.
    std::vector<cv::Mat> channels;
    cv::split(resized, channels);
    channels.resize(3, channels[0]);
    cv::merge(channels, resized);
    EXPECT_EQ(pixel_hash(resized), c["sha256"]) << c["name"];
  }
}

TEST(SamPixels, BoxesAreMetas) {
  for (const Json& c : fixture()["cases"]) {
    const auto values = c["box"].get<std::array<double, 4>>();
    const Box box = sam_input_box(
        {values[0], values[1], values[2], values[3]},
        SamFrame({c["width"].get<int>(), c["height"].get<int>()}, 1024));
    const Json& expected = c["input_box"];
    EXPECT_NEAR(box.x0, expected[0], 1e-9);
    EXPECT_NEAR(box.y0, expected[1], 1e-9);
    EXPECT_NEAR(box.x1, expected[2], 1e-9);
    EXPECT_NEAR(box.y1, expected[3], 1e-9);
  }
}

TEST(SamPixels, MasksComeBackAsMetas) {
  for (const Json& c : fixture()["cases"]) {
    const SamFrame frame({c["width"].get<int>(), c["height"].get<int>()}, 1024);
    const at::Tensor logits =
        3 *
        scattered(c["name"].get<std::string>() + ".logits", {1, 2, 256, 256});
    const at::Tensor masks = postprocess_masks(logits, frame);
    EXPECT_LE(error(masks, c["masks"]), 1e-5) << c["name"];
    EXPECT_GT(error(masks + 2e-5, c["masks"]), 1e-5);
  }
}

}  // namespace
}  // namespace sono
