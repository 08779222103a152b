#pragma once
// Small cohorts on disk for the tests of this folder.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <opencv2/core.hpp>
#include <string>

#include "core/error.h"
#include "data/ellipse.h"
#include "data/image_file.h"

namespace sono {

// A folder of its own for each test, removed at its end.
class FolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    dir_ = std::filesystem::path(::testing::TempDir()) /
           (std::string("sono_cohort_") + info->test_suite_name() + "_" +
            info->name());
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  void write_text(const std::filesystem::path& path, const std::string& text) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  void write_picture(const std::filesystem::path& path, const cv::Mat& image) {
    std::filesystem::create_directories(path.parent_path());
    write_png(path, image);
  }

  std::filesystem::path dir_;
};

inline Ellipse test_head() { return {150, 100, 90, 65, 0.3}; }
inline cv::Size test_size() { return {300, 200}; }

// A textured picture that differs for each `tone`.
inline cv::Mat test_picture(int tone) {
  cv::Mat image(test_size(), CV_8UC1);
  for (int y = 0; y < image.rows; ++y) {
    for (int x = 0; x < image.cols; ++x) {
      image.at<unsigned char>(y, x) =
          static_cast<unsigned char>((x * 3 + y * 7 + tone * 11) % 200 + 30);
    }
  }
  return image;
}

// The message of the error of type E that `call` throws; fails without one.
template <class E>
std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another error: " << error.what();
    return "";
  }
  ADD_FAILURE() << "no error";
  return "";
}

#define EXPECT_SAYS(text, part) \
  EXPECT_NE((text).find(part), std::string::npos) << (text)

}  // namespace sono
