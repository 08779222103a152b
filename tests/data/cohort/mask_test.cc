#include "data/mask.h"

#include <numbers>
#include <opencv2/imgproc.hpp>

#include "tests/data/cohort/fixture.h"

namespace sono {
namespace {

constexpr double kPi = std::numbers::pi;

// The outline of `head` drawn `thickness` px wide, without the given arc.
cv::Mat outline(const Ellipse& head, int thickness, double gap_degrees) {
  cv::Mat image = cv::Mat::zeros(test_size(), CV_8UC1);
  cv::ellipse(image,
              cv::Point(static_cast<int>(head.center_x),
                        static_cast<int>(head.center_y)),
              cv::Size(static_cast<int>(head.semi_major),
                       static_cast<int>(head.semi_minor)),
              head.angle * 180 / kPi, gap_degrees, 360, cv::Scalar(255),
              thickness);
  return image;
}

double dice(const cv::Mat& a, const cv::Mat& b) {
  return 2.0 * cv::countNonZero(a & b) /
         (cv::countNonZero(a) + cv::countNonZero(b));
}

TEST(Mask, TellsTheFourKindsApart) {
  const cv::Mat filled = render_filled(test_head(), test_size());
  EXPECT_EQ(classify_annotation(filled), MaskKind::kFilled);
  EXPECT_EQ(classify_annotation(cv::Mat::zeros(test_size(), CV_8UC1)),
            MaskKind::kEmpty);
  for (int thickness : {1, 2, 3, 5, 8}) {
    EXPECT_EQ(classify_annotation(outline(test_head(), thickness, 0)),
              MaskKind::kClosedOutline)
        << thickness;
    EXPECT_EQ(classify_annotation(outline(test_head(), thickness, 10)),
              MaskKind::kOpenOutline)
        << thickness;
  }
}

TEST(Mask, FilledAtTheFrameStaysAsItIs) {
  const cv::Mat cut = render_filled({10, 10, 90, 65, 0}, test_size());
  const FilledMask result = fill_annotation(cut, MaskPolicy::kAuto, "m.png");
  EXPECT_EQ(result.kind, MaskKind::kFilled);
  EXPECT_EQ(cv::norm(result.mask, cut, cv::NORM_INF), 0);
}

// The width of the drawn line belongs to the head, so a gap in the outline
// must not change the mask that comes of it.
TEST(Mask, OutlinesAreFilledToTheirOuterEdge) {
  const FilledMask closed =
      fill_annotation(outline(test_head(), 3, 0), MaskPolicy::kAuto, "m.png");
  EXPECT_GT(dice(closed.mask, render_filled(test_head(), test_size())), 0.95);
  EXPECT_EQ(cv::countNonZero(outline(test_head(), 3, 0) & ~closed.mask), 0);
  for (double gap : {10.0, 60.0}) {
    const FilledMask open = fill_annotation(outline(test_head(), 3, gap),
                                            MaskPolicy::kAuto, "m.png");
    EXPECT_GT(dice(open.mask, closed.mask), 0.985) << gap;
  }
  const FilledMask ellipse = fill_annotation(outline(test_head(), 3, 0),
                                             MaskPolicy::kEllipse, "m.png");
  EXPECT_GT(dice(ellipse.mask, closed.mask), 0.985);
}

TEST(Mask, ValuesZeroAndOneAreAMaskToo) {
  const cv::Mat filled = render_filled(test_head(), test_size());
  const cv::Mat ones = filled / 255;
  const FilledMask result = fill_annotation(ones, MaskPolicy::kAuto, "m.png");
  EXPECT_EQ(cv::norm(result.mask, filled, cv::NORM_INF), 0);
}

TEST(Mask, StrictRefusesAnOpenOutlineAndSaysTheGap) {
  const cv::Mat open = outline(test_head(), 3, 30);
  const std::string text = message_of<DataError>(
      [&] { fill_annotation(open, MaskPolicy::kStrict, "x_Annotation.png"); });
  EXPECT_SAYS(text, "x_Annotation.png: outline not closed (gap of ");
  EXPECT_SAYS(text, "data.mask=auto");
  const double gap = fill_annotation(open, MaskPolicy::kAuto, "x").gap_px;
  EXPECT_NEAR(gap, 30.0 / 360 * circumference(test_head()), 12);
}

TEST(Mask, ADotIsNoOutline) {
  cv::Mat dots = cv::Mat::zeros(test_size(), CV_8UC1);
  dots.at<unsigned char>(5, 5) = 255;
  dots.at<unsigned char>(90, 200) = 255;
  EXPECT_SAYS(message_of<DataError>(
                  [&] { fill_annotation(dots, MaskPolicy::kAuto, "d.png"); }),
              "d.png");
}

TEST(Mask, UnknownPolicyIsAConfigError) {
  EXPECT_SAYS(message_of<ConfigError>([] { mask_policy("fill"); }),
              "data.mask");
}

TEST(Mask, TightBoxHoldsTheLargestIndices) {
  cv::Mat mask = cv::Mat::zeros(20, 30, CV_8UC1);
  mask(cv::Rect(4, 6, 10, 5)).setTo(255);
  const Box box = tight_box(mask);
  EXPECT_EQ(box.x0, 4);
  EXPECT_EQ(box.y0, 6);
  EXPECT_EQ(box.x1, 13);
  EXPECT_EQ(box.y1, 10);
  EXPECT_THROW(tight_box(cv::Mat::zeros(5, 5, CV_8UC1)), Error);
}

}  // namespace
}  // namespace sono
