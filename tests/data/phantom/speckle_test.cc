#include "data/phantom/speckle.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sono {
namespace {

cv::Mat uniform_envelope(float scatter, float mirror) {
  Random random(make_key("test.speckle", 1));
  const cv::Size size(512, 512);
  return speckle_envelope(cv::Mat(size, CV_32FC1, cv::Scalar(scatter)),
                          cv::Mat(size, CV_32FC1, cv::Scalar(mirror)),
                          PointSpread{}, random);
}

double signal_to_noise(const cv::Mat& envelope) {
  cv::Scalar mean, deviation;
  cv::meanStdDev(envelope, mean, deviation);
  return mean[0] / deviation[0];
}

TEST(Speckle, UniformTissueIsRayleigh) {
  const cv::Mat envelope = uniform_envelope(2, 0);
  // Rayleigh: mean / sd = sqrt(pi / (4 - pi)) = 1.913, E[e^2] = 2 scatter^2.
  EXPECT_NEAR(signal_to_noise(envelope), 1.913, 0.05);
  EXPECT_NEAR(cv::mean(envelope.mul(envelope))[0], 8, 0.5);
  // A share exp(-t^2 / E[e^2]) lies above t.
  EXPECT_NEAR(cv::countNonZero(envelope > 4) / (512.0 * 512), std::exp(-2.0),
              0.01);
}

TEST(Speckle, AMirrorIsNotSpeckle) {
  EXPECT_GT(signal_to_noise(uniform_envelope(0.1F, 2)), 10);
}

TEST(Speckle, BlurIsWiderAcrossTheBeam) {
  const cv::Mat envelope = uniform_envelope(1, 0);
  const cv::Mat down = envelope.rowRange(1, 512) - envelope.rowRange(0, 511);
  const cv::Mat across = envelope.colRange(1, 512) - envelope.colRange(0, 511);
  EXPECT_GT(cv::norm(down), 1.2 * cv::norm(across));
}

TEST(Speckle, SmoothNoiseIsAboutStandardNormal) {
  Random random(make_key("test.noise", 1));
  const cv::Mat field = smooth_noise(random, cv::Size(640, 640), 64, 64);
  cv::Scalar mean, deviation;
  cv::meanStdDev(field, mean, deviation);
  EXPECT_NEAR(mean[0], 0, 0.1);
  EXPECT_NEAR(deviation[0], 1, 0.2);
}

}  // namespace
}  // namespace sono
