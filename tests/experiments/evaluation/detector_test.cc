// The box detector finds a head that its features tell from the ground.

#include "experiments/evaluation/detector.h"

#include <gtest/gtest.h>

#include "core/random.h"
#include "data/mask.h"

namespace sono {
namespace {

constexpr std::int64_t kChannels = 6;
constexpr std::int64_t kGrid = 64;

struct Scene {
  at::Tensor embedding;
  at::Tensor target;
  Box box;
};

// An ellipse in a frame of 256 x 172; channel 1 is bright inside, the others
// are noise.
Scene make_scene(std::uint64_t seed, double signal = 1) {
  Random random(make_key("detector.test", seed));
  Ellipse ellipse;
  ellipse.center_x = 100 + 60 * random.uniform();
  ellipse.center_y = 80 + 15 * random.uniform();
  ellipse.semi_major = 50 + 20 * random.uniform();
  ellipse.semi_minor = 40 + 10 * random.uniform();
  const cv::Mat mask = render_filled(ellipse, cv::Size(256, 172));
  Scene scene;
  scene.box = tight_box(mask);
  scene.target = frame_target(mask);
  scene.embedding = at::empty({1, kChannels, kGrid, kGrid});
  random.fill_normal(scene.embedding.data_ptr<float>(),
                     static_cast<std::size_t>(scene.embedding.numel()));
  scene.embedding *= 0.2;
  scene.embedding[0][1] +=
      signal * at::avg_pool2d(scene.target.view({1, 1, 256, 256}), 4)[0][0];
  return scene;
}

at::Tensor fitted(int images, double signal = 1) {
  const SamFrame frame(cv::Size(256, 172));
  BoxDetectorFit fit;
  for (int i = 0; i < images; ++i) {
    const Scene scene = make_scene(static_cast<std::uint64_t>(i), signal);
    fit.add(scene.embedding, scene.target, frame.whole());
  }
  return fit.solve();
}

double worst_side_px(const at::Tensor& weights, double signal = 1) {
  const SamFrame frame(cv::Size(256, 172));
  double worst = 0;
  for (std::uint64_t seed = 100; seed < 110; ++seed) {
    const Scene scene = make_scene(seed, signal);
    const Box found = detect_box(weights, scene.embedding, frame);
    for (double side : {found.x0 - scene.box.x0, found.y0 - scene.box.y0,
                        found.x1 - scene.box.x1, found.y1 - scene.box.y1}) {
      worst = std::max(worst, std::abs(side));
    }
  }
  return worst;
}

TEST(Detector, FindsTheBoxOfHeadsItHasNotSeen) {
  EXPECT_LT(worst_side_px(fitted(5)), 8);  // two cells of the embedding
}

TEST(Detector, WithoutASignalItCannot) {
  EXPECT_GT(worst_side_px(fitted(5, 0), 0), 12);
}

TEST(Detector, EqualImagesGiveEqualBits) {
  EXPECT_TRUE(at::equal(fitted(3), fitted(3)));
}

TEST(Detector, NothingFoundIsTheWholeImage) {
  const SamFrame frame(cv::Size(256, 172));
  const Box box = detect_box(at::zeros({kChannels + 6}, at::kDouble),
                             make_scene(0).embedding, frame);
  EXPECT_EQ(box.x1, frame.whole().x1);
  EXPECT_EQ(box.y1, frame.whole().y1);
}

// The head has 12 % of the places; the padding below the image must not count.
TEST(Detector, PaddingIsLeftOut) {
  const Scene scene = make_scene(0);
  const SamFrame frame(cv::Size(256, 172));
  at::Tensor marked = scene.embedding.clone();
  marked.slice(2, 44) = 1000;  // below 172 px
  BoxDetectorFit plain, padded;
  plain.add(scene.embedding, scene.target, frame.whole());
  padded.add(marked, scene.target, frame.whole());
  EXPECT_TRUE(at::equal(plain.solve(), padded.solve()));
}

}  // namespace
}  // namespace sono
