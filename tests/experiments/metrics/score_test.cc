#include "experiments/metrics/score.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "data/ellipse.h"
#include "experiments/metrics/biometry.h"

namespace sono {
namespace {

constexpr int kHeight = 120, kWidth = 160;

cv::Mat head(double semi_major, double semi_minor) {
  Ellipse ellipse;
  ellipse.center_x = 80;
  ellipse.center_y = 60;
  ellipse.semi_major = semi_major;
  ellipse.semi_minor = semi_minor;
  return render_filled(ellipse, {kWidth, kHeight});
}

cv::Mat blank() { return cv::Mat::zeros(kHeight, kWidth, CV_8UC1); }

Case with_spacing(double x, double y) {
  Case row;
  row.spacing_x = x;
  row.spacing_y = y;
  return row;
}

TEST(Score, OfThePerfectPredictionIsPerfect) {
  Case row = with_spacing(0.2, 0.2);
  score_case(head(50, 40), head(50, 40), row);
  EXPECT_EQ(row.status, "ok");
  EXPECT_EQ(row.dice, 1);
  EXPECT_EQ(row.hd_mm, 0);
  EXPECT_EQ(row.hd95_mm, 0);
  EXPECT_EQ(row.nsd_mm, 1);
  EXPECT_EQ(row.hc_error_pct, 0);
  EXPECT_EQ(row.bpd_mm, row.bpd_reference_mm);
  EXPECT_NEAR(*row.bpd_px, 80 - 1, 0.7);
  EXPECT_NEAR(*row.ofd_px, 100 - 1, 0.7);
  EXPECT_FALSE(row.hc_floor_pct);  // no csv, no floor
  EXPECT_NEAR(*row.hc_mm, *row.hc_px * 0.2, 1e-9);
  // Boundary pixels have their centres half a pixel inside the true outline.
  EXPECT_NEAR(*row.hc_px, 283.6 - CV_PI, 1);  // Ramanujan for 50 x 40
}

TEST(Score, OfAMissIsAFailureAndNotAGap) {
  Case row = with_spacing(0.5, 0.5);
  row.hc_reference_mm = 140;
  score_case(blank(), head(50, 40), row);
  EXPECT_EQ(row.status, "missed");
  EXPECT_EQ(row.dice, 0);
  EXPECT_EQ(row.iou, 0);
  EXPECT_DOUBLE_EQ(*row.hd95_px, 200);  // the diagonal of 120 x 160
  EXPECT_DOUBLE_EQ(*row.hd_px, 200);
  EXPECT_DOUBLE_EQ(*row.assd_mm, 100);
  EXPECT_EQ(row.nsd_px, 0);
  EXPECT_EQ(row.nsd_mm, 0);
  EXPECT_EQ(row.bpd_mm, 0);
  EXPECT_EQ(row.ofd_mm, 0);
  EXPECT_GT(*row.bpd_reference_mm, 0);
  EXPECT_EQ(row.hc_mm, 0);
  EXPECT_EQ(row.hc_error_pct, -100);
}

TEST(Score, WithoutSpacingHasNoMillimetres) {
  Case row;
  score_case(head(55, 44), head(50, 40), row);
  EXPECT_EQ(row.status, "no_spacing");
  EXPECT_FALSE(row.hd95_mm || row.assd_mm || row.hc_mm || row.hc_reference_mm);
  EXPECT_NEAR(*row.hc_error_pct, 10, 0.5);
}

TEST(Score, WithoutReferenceStillMeasuresThePrediction) {
  Case row = with_spacing(0.2, 0.2);
  score_case(head(50, 40), cv::Mat(), row);
  EXPECT_EQ(row.status, "no_reference");
  EXPECT_TRUE(row.hc_mm);
  EXPECT_FALSE(row.dice || row.iou || row.hd95_px || row.hc_error_pct);
}

TEST(Score, OfOnePixelHasNoEllipse) {
  Case row = with_spacing(0.2, 0.2);
  cv::Mat pixel = blank();
  pixel.at<uchar>(60, 80) = 255;
  score_case(pixel, head(50, 40), row);
  EXPECT_EQ(row.status, "no_ellipse");
  EXPECT_EQ(row.hc_error_pct, -100);
  EXPECT_GT(*row.dice, 0);
  EXPECT_LT(*row.hd95_px, 60);
}

TEST(Score, UsesTheSpacingOfEachAxis) {
  Case row = with_spacing(0.5, 0.25);
  cv::Mat reference = blank(), prediction = blank();
  reference(cv::Rect(20, 20, 60, 60)).setTo(255);
  prediction(cv::Rect(30, 20, 60, 60)).setTo(255);
  ScoreOptions options;
  options.tolerance_px = 10;
  score_case(prediction, reference, row, options);
  EXPECT_DOUBLE_EQ(*row.hd95_px, 10);
  EXPECT_DOUBLE_EQ(*row.hd95_mm, 5);
  EXPECT_EQ(row.nsd_px, 1) << "10 px are within the tolerance asked for";
  EXPECT_LT(*row.nsd_mm, 1);
  EXPECT_GT(*row.nsd_mm, 0.4);
}

TEST(Score, MeasuresAxesAfterStretchingTheEllipse) {
  Case row = with_spacing(0.5, 1);
  score_case(head(50, 40), head(50, 40), row);
  EXPECT_NEAR(*row.ofd_mm, 80 - 1, 0.7);  // along y now
  EXPECT_NEAR(*row.bpd_mm, 50 - 0.5, 0.7);
}

TEST(Score, FollowsTheConventionAskedFor) {
  Case monai = with_spacing(0.5, 0.5), deepmind = monai;
  ScoreOptions options;
  options.convention = SurfaceConvention::kDeepMind;
  score_case(head(55, 44), head(50, 40), monai);
  score_case(head(55, 44), head(50, 40), deepmind, options);
  EXPECT_NE(monai.assd_mm, deepmind.assd_mm);
  EXPECT_NEAR(*monai.assd_mm, *deepmind.assd_mm, 0.1);
}

TEST(Score, SetsTheErrorBesideTheReferencesOwnFloor) {
  Case row = with_spacing(0.5, 0.5);
  score_case(head(50, 40), head(50, 40), row);
  const double of_mask = *row.hc_reference_mm;
  row.hc_reference_mm = of_mask / 1.01;  // what a csv might say
  score_case(head(55, 44), head(50, 40), row);
  EXPECT_NEAR(*row.hc_floor_pct, 1, 1e-9);
  EXPECT_GT(*row.hc_error_pct, 10);
}

TEST(Score, ForgetsAnEarlierScore) {
  Case row = with_spacing(0.2, 0.2);
  score_case(blank(), head(50, 40), row);
  row.hc_reference_mm.reset();
  score_case(head(50, 40), head(50, 40), row);
  EXPECT_EQ(row.status, "ok");
  EXPECT_EQ(row.dice, 1);
}

TEST(Status, IsFoundByWholeWords) {
  EXPECT_TRUE(has_status("missed;no_spacing", "missed"));
  EXPECT_TRUE(has_status("missed;no_spacing", "no_spacing"));
  EXPECT_FALSE(has_status("missed;no_spacing", "spacing"));
  EXPECT_FALSE(has_status("", "missed"));
}

TEST(Biometry, GivesTheRelativeErrorItsSign) {
  EXPECT_DOUBLE_EQ(relative_error_pct(90, 100), -10);
  EXPECT_THROW(relative_error_pct(90, 0), Error);
}

}  // namespace
}  // namespace sono
