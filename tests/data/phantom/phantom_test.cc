#include "data/phantom/phantom.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace sono {
namespace {

bool equal(const cv::Mat& a, const cv::Mat& b) {
  return a.size() == b.size() && cv::norm(a, b, cv::NORM_INF) == 0;
}

double mean_edge(const cv::Mat& image) {
  cv::Mat difference;
  cv::absdiff(image.colRange(1, image.cols), image.colRange(0, image.cols - 1),
              difference);
  return cv::mean(difference)[0];
}

double black_share(const cv::Mat& image) {
  return cv::countNonZero(image < 4) / static_cast<double>(image.total());
}

TEST(Phantom, IsAFunctionOfConfigAndIndex) {
  PhantomConfig config;
  const Phantom first = make_phantom(config, 4);
  make_phantom(config, 9);  // other work in between changes nothing
  EXPECT_TRUE(equal(first.image, make_phantom(config, 4).image));
  EXPECT_FALSE(equal(first.image, make_phantom(config, 5).image));
  config.seed = 2;
  EXPECT_FALSE(equal(first.image, make_phantom(config, 4).image));
}

TEST(Phantom, LabelsAreExact) {
  for (const char* style : {"curved", "portable"}) {
    PhantomConfig config;
    config.style = style;
    for (std::uint64_t index = 0; index < 8; ++index) {
      const Phantom phantom = make_phantom(config, index);
      const Ellipse& head = phantom.ellipse;
      const double area = std::numbers::pi * head.semi_major * head.semi_minor;
      EXPECT_NEAR(cv::countNonZero(phantom.mask) / area, 1, 0.005);
      EXPECT_NEAR(phantom.hc_mm, circumference(head) * phantom.pixel_size_mm,
                  1e-9);
      const Box box = bounding_box(head);
      EXPECT_GT(box.x0, 0);
      EXPECT_GT(box.y0, 0);
      EXPECT_LT(box.x1, config.width - 1);
      EXPECT_LT(box.y1, config.height - 1);
    }
  }
}

// Mean grey along the ellipse grown by `scale`, within 20 degrees of where the
// outline runs across the beam.
double outline_grey(const Phantom& phantom, double scale) {
  const Ellipse& e = phantom.ellipse;
  double sum = 0;
  int count = 0;
  for (double t = 0; t < 2 * std::numbers::pi; t += 0.01) {
    const double a = scale * e.semi_major * std::cos(t);
    const double b = scale * e.semi_minor * std::sin(t);
    const double c = std::cos(e.angle), s = std::sin(e.angle);
    if (std::abs(std::sin(t)) < 0.94) continue;
    const cv::Point at(cvRound(e.center_x + a * c - b * s),
                       cvRound(e.center_y + a * s + b * c));
    if (!cv::Rect({}, phantom.image.size()).contains(at)) continue;
    sum += phantom.image.at<std::uint8_t>(at);
    ++count;
  }
  return sum / std::max(1, count);
}

TEST(Phantom, TheSkullIsWhereTheLabelSays) {
  PhantomConfig config;
  double skull = 0, brain = 0, outside = 0;
  for (std::uint64_t index = 0; index < 12; ++index) {
    const Phantom phantom = make_phantom(config, index);
    skull += outline_grey(phantom, 0.955);
    brain += outline_grey(phantom, 0.80);
    outside += outline_grey(phantom, 1.06);
  }
  EXPECT_GT(skull, 2 * brain);
  EXPECT_GT(skull, 2 * outside);
}

TEST(Phantom, StylesAreADomainShift) {
  PhantomConfig curved, portable;
  portable.style = "portable";
  double black[2] = {}, head[2] = {}, edge[2] = {};
  constexpr int kCount = 12;
  for (std::uint64_t index = 0; index < kCount; ++index) {
    const Phantom views[2] = {make_phantom(curved, index),
                              make_phantom(portable, index)};
    for (int i = 0; i < 2; ++i) {
      black[i] += black_share(views[i].image) / kCount;
      head[i] += views[i].ellipse.semi_major / kCount;
      edge[i] += mean_edge(views[i].image) / (1 - black_share(views[i].image)) /
                 kCount;
    }
    EXPECT_EQ(views[0].gestational_age_weeks, views[1].gestational_age_weeks);
  }
  EXPECT_GT(black[1], black[0] + 0.2);
  EXPECT_LT(head[1], 0.85 * head[0]);
  EXPECT_GT(edge[1], 1.5 * edge[0]);
}

TEST(Phantom, GreyLevelsAreThoseOfRealImages) {
  // HC18's own 279 images: mean grey 42.5, black 0.235.
  PhantomConfig config;
  double grey = 0, black = 0;
  constexpr int kCount = 24;
  for (std::uint64_t index = 0; index < kCount; ++index) {
    const Phantom phantom = make_phantom(config, index);
    grey += cv::mean(phantom.image)[0] / kCount;
    black += black_share(phantom.image) / kCount;
  }
  EXPECT_NEAR(grey, 42.5, 8);
  EXPECT_NEAR(black, 0.235, 0.08);
}

TEST(Phantom, ASmallFrameShowsTheSameScene) {
  PhantomConfig config;
  const Phantom large = make_phantom(config, 3);
  config.width = 128;
  config.height = 88;
  const Phantom small = make_phantom(config, 3);
  EXPECT_EQ(small.image.size(), cv::Size(128, 88));
  EXPECT_NEAR(small.ellipse.semi_major, large.ellipse.semi_major * 0.16, 1e-9);
  EXPECT_NEAR(small.pixel_size_mm * 0.16, large.pixel_size_mm, 1e-12);
  EXPECT_EQ(small.hc_mm, large.hc_mm);
  EXPECT_NEAR(cv::mean(small.image)[0], cv::mean(large.image)[0], 8);
}

TEST(Phantom, DescriptionIsThePhantomWithoutPixels) {
  const Phantom truth = describe_phantom({}, 11),
                phantom = make_phantom({}, 11);
  EXPECT_TRUE(truth.image.empty());
  EXPECT_EQ(truth.hc_mm, phantom.hc_mm);
  EXPECT_EQ(truth.ellipse.center_x, phantom.ellipse.center_x);
  EXPECT_EQ(truth.trimester, phantom.trimester);
}

TEST(Phantom, SecondViewsShareTheExam) {
  EXPECT_EQ(phantom_id(5).exam, phantom_id(6).exam);
  EXPECT_EQ(phantom_id(6).view, 2);
  EXPECT_EQ(phantom_id(7).exam, 6U);
  const Phantom one = describe_phantom({}, 5), two = describe_phantom({}, 6);
  EXPECT_EQ(one.gestational_age_weeks, two.gestational_age_weeks);
  EXPECT_NEAR(one.hc_mm / two.hc_mm, 1, 0.021);
  EXPECT_NE(one.pixel_size_mm, two.pixel_size_mm);
}

void expect_refused(const PhantomConfig& config, const std::string& option) {
  try {
    config.validate();
    FAIL() << "accepted a bad " << option;
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find(option), std::string::npos)
        << error.what();
  }
}

TEST(Phantom, RefusesBadConfigs) {
  PhantomConfig config;
  EXPECT_NO_THROW(config.validate());
  config.style = "linear";
  expect_refused(config, "phantom.style");
  config = {};
  config.width = 0;
  expect_refused(config, "phantom.width");
  config = {};
  config.height = 1000000;
  expect_refused(config, "phantom.height");
  config = {};
  config.ages = {0.7, 0.6};
  expect_refused(config, "phantom.third_trimester");
}

}  // namespace
}  // namespace sono
