// Generation: a pair depends on (weights, seed, index) and on nothing else.

#include "trainer/generate.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace sono {
namespace {

DiffusionConfig tiny_config() {
  DiffusionConfig config;
  config.image_width = 24;
  config.image_height = 20;
  config.widths = {8, 8};
  config.attention_levels = 1;
  config.attention_head_dim = 4;
  config.norm_groups = 2;
  config.num_classes = 2;
  config.sampler.num_steps = 3;
  return config;
}

EllipsePrior prior() {
  return EllipsePrior({{12, 10, 7, 5, 0.2}, {11, 9, 6, 5, 3.0}}, {24, 20});
}

bool equal(const cv::Mat& a, const cv::Mat& b) {
  return a.size() == b.size() && a.type() == b.type() &&
         cv::norm(a, b, cv::NORM_INF) == 0;
}

TEST(Generate, PairsDoNotDependOnTheRangeAskedFor) {
  DiffusionModel model(tiny_config());
  model.unet().initialize(1);
  const EllipsePrior outlines = prior();
  const GeneratorConditions conditions{.outlines = &outlines,
                                       .class_ids = {1, 2}};
  const auto all = generate_pairs(model, conditions, first_attempts(0, 7),
                                  {.seed = 5, .batch_size = 4});
  const auto some = generate_pairs(model, conditions, first_attempts(3, 2),
                                   {.seed = 5, .batch_size = 4});
  ASSERT_EQ(all.size(), 7u);
  ASSERT_EQ(some.size(), 2u);
  for (std::size_t i = 0; i < some.size(); ++i) {
    EXPECT_EQ(some[i].index, static_cast<std::int64_t>(3 + i));
    EXPECT_TRUE(equal(some[i].image, all[3 + i].image));
    EXPECT_TRUE(equal(some[i].mask, all[3 + i].mask));
    EXPECT_EQ(some[i].class_id, all[3 + i].class_id);
  }
  EXPECT_FALSE(equal(all[0].image, all[1].image));
  EXPECT_FALSE(equal(all[0].mask, all[1].mask));
  EXPECT_EQ(all[0].image.size(), cv::Size(24, 20));
  EXPECT_TRUE(all[0].outline.empty());
}

// Samplers that add noise on their way draw it by pair and step.
TEST(Generate, NoiseOnTheWayDoesNotDependOnTheRangeEither) {
  for (const char* kind : {"ddpm", "euler_ancestral"}) {
    DiffusionConfig config = tiny_config();
    config.sampler.kind = kind;
    DiffusionModel model(config);
    model.unet().initialize(1);
    const EllipsePrior outlines = prior();
    const GeneratorConditions conditions{.outlines = &outlines};
    const auto all = generate_pairs(model, conditions, first_attempts(0, 6),
                                    {.seed = 5, .batch_size = 4});
    const auto one = generate_pairs(model, conditions, first_attempts(5, 1),
                                    {.seed = 5, .batch_size = 4});
    EXPECT_TRUE(equal(one[0].image, all[5].image)) << kind;
    EXPECT_FALSE(equal(all[4].image, all[5].image)) << kind;
  }
}

// Full size, where the kernels could treat rows differently: whatever stands in
// the other rows, a pair and its second attempt keep their bytes.
TEST(Generate, APairDoesNotDependOnItsNeighboursInTheBatch) {
  DiffusionConfig config;
  config.num_classes = 2;
  config.guidance_scale = 1.5;
  config.sampler.num_steps = 2;
  DiffusionModel model(config);
  model.unet().initialize(1);
  const EllipsePrior outlines({{60, 40, 30, 20, 0.2}}, {128, 88});
  const GeneratorConditions conditions{.outlines = &outlines,
                                       .class_ids = {1, 2}};
  const GenerateOptions options{.seed = 5, .batch_size = 8};
  const auto all =
      generate_pairs(model, conditions, first_attempts(0, 16), options);
  const auto few =
      generate_pairs(model, conditions, {{13, 0}, {2, 1}, {5, 0}}, options);
  const auto other =
      generate_pairs(model, conditions, {{10, 1}, {2, 1}}, options);
  EXPECT_TRUE(equal(few[0].image, all[13].image));
  EXPECT_TRUE(equal(few[2].image, all[5].image));
  EXPECT_TRUE(equal(few[1].image, other[1].image));
  EXPECT_FALSE(equal(few[1].image, all[2].image));
  EXPECT_FALSE(equal(few[1].mask, all[2].mask));
  EXPECT_FALSE(equal(other[0].image, other[1].image));
  EXPECT_EQ(few[1].attempt, 1);
}

TEST(Generate, AnotherSeedMakesOtherPairs) {
  DiffusionModel model(tiny_config());
  model.unet().initialize(1);
  const EllipsePrior outlines = prior();
  const GeneratorConditions conditions{.outlines = &outlines};
  const auto one =
      generate_pairs(model, conditions, first_attempts(0, 1), {.seed = 1});
  const auto two =
      generate_pairs(model, conditions, first_attempts(0, 1), {.seed = 2});
  EXPECT_FALSE(equal(one[0].image, two[0].image));
}

TEST(Generate, JointMakesAnOutline) {
  DiffusionConfig config = tiny_config();
  config.mode = "joint";
  DiffusionModel model(config);
  model.unet().initialize(1);
  const auto pairs =
      generate_pairs(model, {}, first_attempts(0, 2), {.batch_size = 2});
  EXPECT_TRUE(pairs[0].mask.empty());
  EXPECT_EQ(pairs[0].outline.size(), cv::Size(24, 20));
}

TEST(Generate, GuidanceChangesTheImage) {
  const auto made = [](double scale, const char* sampler) {
    DiffusionConfig config = tiny_config();
    config.guidance_scale = scale;
    config.sampler.kind = sampler;
    DiffusionModel model(config);
    model.unet().initialize(1);
    const EllipsePrior outlines = prior();
    return generate_pairs(model, {.outlines = &outlines, .class_ids = {2}},
                          first_attempts(0, 1), {.batch_size = 1})[0]
        .image;
  };
  EXPECT_FALSE(equal(made(1, "ddim"), made(3, "ddim")));
  EXPECT_FALSE(equal(made(1, "ddim"), made(1, "unipc")));
}

TEST(Generate, StartsFromAnImageWhenAsked) {
  DiffusionConfig config = tiny_config();
  config.sampler.num_steps = 20;
  DiffusionModel model(config);
  model.unet().initialize(1);
  at::Tensor mask = at::zeros({1, 20, 24});
  mask.narrow(1, 5, 10).narrow(2, 6, 12).fill_(1);
  const at::Tensor image = mask * 1.6 - 0.9;
  // How far the made image is from the start, in grey levels.
  const auto distance = [&](double strength) {
    GeneratorConditions conditions;
    conditions.start = [&](std::int64_t) {
      return DiffusionExample{image, mask, 1};
    };
    conditions.start_strength = strength;
    const auto pair = generate_pairs(model, conditions, first_attempts(0, 1),
                                     {.batch_size = 1})[0];
    EXPECT_EQ(cv::countNonZero(pair.mask), 120);
    cv::Mat start(20, 24, CV_8UC1, cv::Scalar(13));
    start(cv::Rect(6, 5, 12, 10)).setTo(217);
    return cv::norm(pair.image, start, cv::NORM_L1) / (20.0 * 24.0);
  };
  EXPECT_LT(distance(0.06), 15);
  EXPECT_GT(distance(1.0), distance(0.06) * 2);
}

TEST(EllipsePrior, DrawsLikeTheTrainingHeadsAndInsideTheFrame) {
  std::vector<Ellipse> heads;
  Random random(make_key("test", 1));
  for (int i = 0; i < 200; ++i) {
    heads.push_back({64 + 4 * random.normal(), 44 + 3 * random.normal(),
                     30 + 2 * random.normal(), 22 + random.normal(),
                     0.1 * random.normal()});
    if (heads.back().angle < 0) heads.back().angle += 3.141592653589793;
  }
  const EllipsePrior outlines(heads, {128, 88});
  double center = 0, major = 0, turned = 0;
  for (int i = 0; i < 500; ++i) {
    const Ellipse e = outlines.sample({128, 88}, random);
    const Box box = bounding_box(e);
    ASSERT_TRUE(box.x0 >= 1 && box.y0 >= 1 && box.x1 <= 126 && box.y1 <= 86);
    center += e.center_x / 500;
    major += e.semi_major / 500;
    turned += std::abs(std::sin(e.angle)) / 500;
  }
  EXPECT_NEAR(center, 64, 1);
  EXPECT_NEAR(major, 30, 1);
  EXPECT_LT(turned, 0.2);
}

TEST(EllipsePrior, ShrinksWhatCannotFit) {
  const EllipsePrior outlines({{64, 44, 90, 60, 0}}, {128, 88});
  Random random(make_key("test", 2));
  for (int i = 0; i < 20; ++i) {
    const Box box = bounding_box(outlines.sample({128, 88}, random));
    EXPECT_GE(box.x0, 1 - 1e-6);
    EXPECT_LE(box.x1, 126 + 1e-6);
    EXPECT_GE(box.y0, 1 - 1e-6);
    EXPECT_LE(box.y1, 86 + 1e-6);
  }
}

TEST(EllipsePrior, RefusesNoHeads) {
  EXPECT_THROW(EllipsePrior({}, {128, 88}), DataError);
}

}  // namespace
}  // namespace sono
