#include "data/image_file.h"

#include <png.h>

#include <cstring>
#include <vector>

#include "core/atomic_file.h"
#include "core/hash.h"
#include "tests/data/cohort/fixture.h"

namespace sono {
namespace {

std::string as_text(const std::vector<std::uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

// A PNG of any format by libpng itself; rows are given packed.
std::string make_png(int width, int height, int depth, int color,
                     std::vector<unsigned char> rows, bool interlaced = false,
                     std::vector<png_color> palette = {}) {
  std::string out;
  png_structp png =
      png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &out,
      [](png_structp p, png_bytep data, std::size_t count) {
        static_cast<std::string*>(png_get_io_ptr(p))
            ->append(reinterpret_cast<char*>(data), count);
      },
      nullptr);
  png_set_IHDR(png, info, width, height, depth, color,
               interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!palette.empty()) {
    png_set_PLTE(png, info, palette.data(), static_cast<int>(palette.size()));
  }
  const std::size_t stride = rows.size() / height;
  std::vector<png_bytep> pointers;
  for (int y = 0; y < height; ++y) pointers.push_back(rows.data() + y * stride);
  png_set_rows(png, info, pointers.data());
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  png_destroy_write_struct(&png, &info);
  return out;
}

std::vector<int> pixels(const std::string& bytes) {
  const cv::Mat image = decode_image(bytes, "x.png");
  EXPECT_EQ(image.type(), CV_8UC1);
  return std::vector<int>(image.begin<unsigned char>(),
                          image.end<unsigned char>());
}

std::string refusal(const std::string& bytes) {
  return message_of<DataError>([&] { decode_image(bytes, "bad.png"); });
}

TEST(ImageFile, GreyOfEveryDepth) {
  EXPECT_EQ(pixels(make_png(4, 1, 1, 0, {0b10100000})),
            (std::vector<int>{255, 0, 255, 0}));
  EXPECT_EQ(pixels(make_png(4, 1, 2, 0, {0b00011011})),
            (std::vector<int>{0, 85, 170, 255}));
  EXPECT_EQ(pixels(make_png(2, 1, 4, 0, {0x3f})), (std::vector<int>{51, 255}));
  EXPECT_EQ(pixels(make_png(2, 1, 8, 0, {7, 200})), (std::vector<int>{7, 200}));
  EXPECT_EQ(pixels(make_png(2, 1, 16, 0, {0xff, 0xff, 0x80, 0x80})),
            (std::vector<int>{255, 128}));
}

TEST(ImageFile, ColourPaletteAndAlpha) {
  EXPECT_EQ(pixels(make_png(3, 1, 8, 2, {255, 0, 0, 0, 255, 0, 9, 9, 9})),
            (std::vector<int>{76, 150, 9}));
  EXPECT_EQ(
      pixels(make_png(2, 1, 8, 3, {1, 0}, false, {{5, 5, 5}, {0, 0, 255}})),
      (std::vector<int>{29, 5}));
  // Grey + alpha and RGBA over black.
  EXPECT_EQ(pixels(make_png(2, 1, 8, 4, {200, 255, 200, 0})),
            (std::vector<int>{200, 0}));
  EXPECT_EQ(pixels(make_png(2, 1, 8, 6, {80, 80, 80, 255, 80, 80, 80, 0})),
            (std::vector<int>{80, 0}));
}

TEST(ImageFile, InterlacedReadsTheSame) {
  std::vector<unsigned char> rows;
  for (int i = 0; i < 17 * 13; ++i) rows.push_back(i * 31 % 256);
  EXPECT_EQ(pixels(make_png(17, 13, 8, 0, rows, true)),
            pixels(make_png(17, 13, 8, 0, rows)));
}

TEST(ImageFile, WrittenAndReadAgain) {
  const cv::Mat image = test_picture(3);
  const cv::Mat again = decode_image(as_text(encode_png(image)), "x");
  EXPECT_EQ(cv::norm(image, again, cv::NORM_INF), 0);
  EXPECT_EQ(encode_png(image), encode_png(image.clone()));
  cv::Mat rgb(2, 2, CV_8UC3, cv::Scalar(255, 0, 0));
  EXPECT_EQ(pixels(as_text(encode_png(rgb)))[0], 76);
  EXPECT_THROW(encode_png(cv::Mat()), Error);
  EXPECT_THROW(encode_png(cv::Mat::zeros(2, 2, CV_32FC1)), Error);
}

TEST(ImageFile, EveryTruncationIsRefused) {
  const std::string whole = as_text(encode_png(test_picture(1)));
  for (std::size_t size = 0; size + 12 < whole.size(); size += 97) {
    EXPECT_SAYS(refusal(whole.substr(0, size)), "bad.png");
  }
}

TEST(ImageFile, AFlippedByteIsRefusedOrHarmless) {
  const std::string whole = as_text(encode_png(test_picture(1)));
  int refused = 0;
  for (std::size_t at = 8; at < whole.size(); at += 53) {
    std::string bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ 0x55);
    try {
      decode_image(bad, "bad.png");
    } catch (const DataError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 5);
}

// A forged header with a correct checksum.
std::string forged(std::uint32_t width, std::uint32_t height) {
  std::string bytes = make_png(1, 1, 8, 0, {7});
  for (int i = 0; i < 4; ++i) {
    bytes[16 + i] = static_cast<char>(width >> (24 - 8 * i));
    bytes[20 + i] = static_cast<char>(height >> (24 - 8 * i));
  }
  const std::uint32_t sum = crc32(bytes.data() + 12, 17);
  for (int i = 0; i < 4; ++i) {
    bytes[29 + i] = static_cast<char>(sum >> (24 - 8 * i));
  }
  return bytes;
}

TEST(ImageFile, AbsurdSizesAreRefusedBeforeAllocation) {
  EXPECT_SAYS(refusal(forged(2000000000, 1)), "bad.png");
  EXPECT_SAYS(refusal(forged(32000, 32000)), "32000x32000");
  EXPECT_SAYS(refusal(forged(10000, 10000)), "truncated or forged");
  EXPECT_SAYS(refusal(forged(0, 5)), "bad.png");
}

TEST(ImageFile, NotAnImage) {
  EXPECT_SAYS(refusal(""), "empty file");
  EXPECT_SAYS(refusal("GIF89a..."), "neither PNG nor JPEG");
  EXPECT_SAYS(message_of<DataError>([] { read_image("/none/x.png"); }),
              "/none/x.png");
  EXPECT_SAYS(refusal("\xff\xd8\xff\xe0 rubbish"), "JPEG");
  EXPECT_TRUE(is_image_name("A.PNG"));
  EXPECT_TRUE(is_image_name("a.jpeg"));
  EXPECT_FALSE(is_image_name("a.csv"));
}

TEST(ImageFile, JpegReadsAndATruncatedOneIsRefused) {
  const std::string path =
      std::string(SONO_SOURCE_DIR) + "/tests/data/cohort/grey.jpg";
  const cv::Mat image = read_image(path);
  ASSERT_EQ(image.size(), cv::Size(48, 32));
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 48; ++x) {
      // The picture is a ramp, grey = 40 + 3 x.
      EXPECT_NEAR(image.at<unsigned char>(y, x), 40 + 3 * x, 4);
    }
  }
  const std::string whole = read_file(path);
  EXPECT_SAYS(refusal(whole.substr(0, whole.size() * 3 / 4)), "JPEG");
}

}  // namespace
}  // namespace sono
