#include "data/formats/grey_png.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/hash.h"
#include "core/random.h"
#include "data/image_file.h"

namespace sono {
namespace {

std::string_view text(const std::vector<std::uint8_t>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Smooth, speckled, flat and noisy parts: every filter of libpng comes up.
cv::Mat picture(int width, int height) {
  cv::Mat image(height, width, CV_8UC1);
  Random random(make_key("test.grey_png", static_cast<std::uint64_t>(width),
                         static_cast<std::uint64_t>(height)));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int part = (x / 32 + y / 32) % 4;
      const int value = part == 0   ? x * 3 + y * 5
                        : part == 1 ? 90 + static_cast<int>(random.below(12))
                        : part == 2 ? 200
                                    : static_cast<int>(random.below(256));
      image.at<std::uint8_t>(y, x) = static_cast<std::uint8_t>(value);
    }
  }
  return image;
}

const cv::Size kSizes[] = {{1, 1},   {1, 40},  {40, 1},   {3, 5},
                           {64, 64}, {256, 7}, {257, 130}};

TEST(GreyPng, ComesBackAndIsReadByLibpng) {
  for (const cv::Size size : kSizes) {
    const cv::Mat image = picture(size.width, size.height);
    const auto png = encode_grey_png(image);
    const auto again = decode_grey_png(text(png));
    ASSERT_TRUE(again) << size;
    EXPECT_EQ(cv::norm(image, *again, cv::NORM_INF), 0) << size;
    // A chunk that only libpng takes on.
    std::string with_palette(text(png).substr(0, 33));
    with_palette += std::string("\0\0\0\2tRNS\0\xff", 10);
    const std::uint32_t crc = crc32(with_palette.data() + 37, 6);
    for (int k = 3; k >= 0; --k) {
      with_palette += static_cast<char>(crc >> (8 * k));
    }
    with_palette += text(png).substr(33);
    EXPECT_FALSE(decode_grey_png(with_palette));
    cv::Mat opaque = image.clone();
    opaque.setTo(0, image == 255);
    EXPECT_EQ(cv::norm(opaque, decode_image(with_palette, "x"), cv::NORM_INF),
              0)
        << size;
  }
}

TEST(GreyPng, ReadsWhatLibpngWrites) {
  for (const cv::Size size : kSizes) {
    const cv::Mat image = picture(size.width, size.height);
    const auto again = decode_grey_png(text(encode_png(image)));
    ASSERT_TRUE(again) << size;
    EXPECT_EQ(cv::norm(image, *again, cv::NORM_INF), 0) << size;
  }
}

TEST(GreyPng, DamageIsLeftToLibpngToRefuse) {
  const auto png = encode_grey_png(picture(64, 48));
  const std::string whole(text(png));
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    std::string bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    EXPECT_FALSE(decode_grey_png(bad)) << at;
    EXPECT_FALSE(decode_grey_png(std::string_view(whole).substr(0, at))) << at;
  }
  EXPECT_THROW(decode_image(whole.substr(0, 300), "x"), DataError);
  EXPECT_THROW(encode_grey_png(cv::Mat::zeros(2, 2, CV_8UC3)), Error);
}

}  // namespace
}  // namespace sono
