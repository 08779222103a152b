#include "data/contact_sheet.h"

#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>

#include "core/error.h"

namespace sono {
namespace {

TEST(ContactSheet, LaysTilesOutInRows) {
  const ContactTile tile{.image = cv::Mat(11, 16, CV_8UC1, cv::Scalar(200))};
  const cv::Mat sheet =
      contact_sheet({tile, tile, tile, tile, tile}, 3, {64, 44});
  EXPECT_EQ(sheet.type(), CV_8UC3);
  EXPECT_EQ(sheet.cols, 3 * 68 + 4);
  EXPECT_EQ(sheet.rows, 2 * 64 + 4);
  EXPECT_EQ(sheet.at<cv::Vec3b>(20, 30), cv::Vec3b(200, 200, 200));
  // The sixth place is empty.
  EXPECT_EQ(sheet.at<cv::Vec3b>(90, 170), cv::Vec3b(24, 24, 24));
}

TEST(ContactSheet, KeepsShapeAndDrawsTheContour) {
  ContactTile tile{.image = cv::Mat::zeros(40, 20, CV_8UC1),
                   .mask = cv::Mat::zeros(40, 20, CV_8UC1),
                   .colour = {0, 255, 0},
                   .caption = std::string(200, 'w')};
  cv::circle(tile.mask, {10, 20}, 6, 255, cv::FILLED);
  const cv::Mat sheet = contact_sheet({tile}, 4, {80, 80});
  cv::Mat channels[3];
  cv::split(sheet(cv::Rect(4, 4, 80, 80)), channels);
  EXPECT_GT(cv::countNonZero(channels[1] > 200), 20);
  EXPECT_EQ(cv::countNonZero(channels[0] > 200), 0);
  // Tall picture: bars of background at both sides.
  EXPECT_EQ(sheet.at<cv::Vec3b>(44, 10), cv::Vec3b(24, 24, 24));
}

TEST(ContactSheet, EmptyPileAndBadLayout) {
  EXPECT_FALSE(contact_sheet({}, 3, {64, 44}).empty());
  EXPECT_THROW(contact_sheet({}, 0, {64, 44}), Error);
}

}  // namespace
}  // namespace sono
