// The diffusion task: rank-free meaning, and that a small model learns.

#include "trainer/diffusion_task.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

namespace sono {
namespace {

DiffusionConfig tiny_config() {
  DiffusionConfig config;
  config.image_width = 16;
  config.image_height = 12;
  config.widths = {16, 16};
  config.attention_levels = 1;
  config.attention_head_dim = 8;
  config.norm_groups = 4;
  config.num_classes = 2;
  return config;
}

// A disc, bright or dim by its class, on black.
DiffusionExample disc(std::int64_t index) {
  const at::Tensor y = at::arange(12).to(at::kFloat).view({12, 1});
  const at::Tensor x = at::arange(16).to(at::kFloat).view({1, 16});
  const double radius = 2.5 + 0.5 * static_cast<double>(index % 4);
  const at::Tensor mask = ((x - 8).square() + (y - 6).square())
                              .lt(radius * radius)
                              .to(at::kFloat)
                              .unsqueeze(0);
  return {mask * (0.8 + 0.2 * static_cast<double>(index % 2)) * 2 - 1, mask,
          1 + index % 2};
}

DiffusionExamples discs(std::int64_t count) {
  return {count, [](std::int64_t index, Random&) { return disc(index); }};
}

DiffusionTaskConfig task_config(std::int64_t batch_size, bool augment = true) {
  DiffusionTaskConfig config;
  config.batch_size = batch_size;
  config.seed = 3;
  config.augment = augment;
  return config;
}

// Adam with bias correction, the least that trains.
class Adam {
 public:
  explicit Adam(NamedTensors parameters) : parameters_(std::move(parameters)) {
    for (const auto& [name, tensor] : parameters_) {
      mean_.push_back(at::zeros_like(tensor));
      square_.push_back(at::zeros_like(tensor));
    }
  }
  void step(double rate) {
    const at::NoGradGuard no_grad;
    ++count_;
    const double up =
        std::sqrt(1 - std::pow(0.999, count_)) / (1 - std::pow(0.9, count_));
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      at::Tensor parameter = parameters_[i].second;
      const at::Tensor grad = parameter.grad();
      mean_[i].mul_(0.9).add_(grad, 0.1);
      square_[i].mul_(0.999).addcmul_(grad, grad, 0.001);
      parameter.sub_(rate * up * mean_[i] / (square_[i].sqrt() + 1e-8));
      parameter.mutable_grad() = at::Tensor();
    }
  }

 private:
  NamedTensors parameters_;
  std::vector<at::Tensor> mean_, square_;
  int count_ = 0;
};

double mean_loss(DiffusionTask& task, std::int64_t first, std::int64_t steps,
                 std::int64_t batch_size) {
  const at::NoGradGuard no_grad;
  double sum = 0;
  for (std::int64_t step = first; step < first + steps; ++step) {
    sum += task.loss(step, 0, batch_size).item<double>();
  }
  return sum / static_cast<double>(steps);
}

TEST(DiffusionTask, PartsOfABatchAddUp) {
  for (const char* mode : {"concat", "joint"}) {
    DiffusionConfig config = tiny_config();
    config.mode = mode;
    DiffusionModel model(config);
    model.unet().initialize(1);
    DiffusionTask task(model, discs(4), task_config(6));
    const double whole = task.loss(2, 0, 6).item<double>();
    const double parts = task.loss(2, 0, 1).item<double>() +
                         task.loss(2, 1, 4).item<double>() +
                         task.loss(2, 4, 6).item<double>();
    EXPECT_NEAR(parts, whole, 1e-5 * whole) << mode;
    EXPECT_NE(task.loss(3, 0, 6).item<double>(), whole) << mode;
  }
}

TEST(DiffusionTask, ASampleIsItsGlobalNumber) {
  DiffusionModel model(tiny_config());
  model.unet().initialize(1);
  DiffusionTask by_two(model, discs(4), task_config(2));
  DiffusionTask by_three(model, discs(4), task_config(3));
  // Sample 5 is step 2, position 1 of twos and step 1, position 2 of threes.
  EXPECT_FLOAT_EQ(2 * by_two.loss(2, 1, 2).item<float>(),
                  3 * by_three.loss(1, 2, 3).item<float>());
}

TEST(DiffusionTask, OverfitsFourImages) {
  DiffusionConfig config = tiny_config();
  config.min_snr_gamma = 0;
  DiffusionModel model(config);
  model.unet().initialize(1);
  constexpr std::int64_t kBatch = 8;
  DiffusionTask task(model, discs(4), task_config(kBatch, /*augment=*/false));
  const double before = mean_loss(task, 10000, 10, kBatch);
  Adam adam(task.parameters());
  for (std::int64_t step = 0; step < 200; ++step) {
    task.loss(step, 0, kBatch).backward();
    adam.step(3e-3);
  }
  EXPECT_LT(mean_loss(task, 10000, 10, kBatch), before / 5);
}

TEST(DiffusionTask, RefusesNoImages) {
  DiffusionModel model(tiny_config());
  EXPECT_THROW(DiffusionTask(model, {}, task_config(2)), DataError);
}

TEST(OutlineOf, IsTwoPixelsThin) {
  at::Tensor mask = at::zeros({1, 10, 10});
  mask.narrow(1, 3, 4).narrow(2, 3, 4).fill_(1);
  const at::Tensor outline = outline_of(mask);
  // 6x6 dilated less 2x2 eroded.
  EXPECT_EQ(outline.sum().item<int>(), 32);
  EXPECT_EQ(outline[0][4][4].item<int>(), 0);
  EXPECT_EQ(outline[0][2][2].item<int>(), 1);
}

TEST(Augment, MovesImageAndMaskAsOne) {
  const DiffusionExample example = disc(3);
  DiffusionAugmentConfig config;
  config.max_gain = 0;
  config.max_shift = 0.2;
  int moved = 0;
  for (std::uint64_t i = 0; i < 20; ++i) {
    Random random(make_key("test", i));
    const DiffusionPair pair =
        augment({example.image, example.mask}, config, random);
    const at::Tensor bright = pair.image.gt(0).to(at::kFloat);
    EXPECT_LE((bright - pair.mask).abs().sum().item<int>(), 4);
    moved += !at::equal(pair.mask, example.mask);
  }
  EXPECT_GT(moved, 10);
}

TEST(Augment, MirrorsWhenAsked) {
  DiffusionAugmentConfig config{.flip = true,
                                .max_shift = 0,
                                .max_zoom = 0,
                                .max_rotation_deg = 0,
                                .max_gain = 0};
  at::Tensor mask = at::zeros({1, 6, 8});
  mask[0][2][1] = 1;
  int mirrored = 0;
  for (std::uint64_t i = 0; i < 20; ++i) {
    Random random(make_key("test", i));
    const at::Tensor out = augment({mask * 2 - 1, mask}, config, random).mask;
    EXPECT_EQ(out.sum().item<int>(), 1);
    mirrored += out[0][2][6].item<int>();
  }
  EXPECT_GT(mirrored, 3);
  EXPECT_LT(mirrored, 17);
}

TEST(DiffusionConfig, NamesTheWrongOption) {
  const auto message = [](const DiffusionConfig& config) -> std::string {
    try {
      config.validate("diffusion");
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "accepted";
  };
  DiffusionConfig config = tiny_config();
  EXPECT_EQ(message(config), "accepted");
  config.mode = "concatenate";
  EXPECT_NE(message(config).find("diffusion.mode"), std::string::npos);
  config = tiny_config();
  config.image_width = 17;
  EXPECT_NE(message(config).find("diffusion.image_width"), std::string::npos);
  config = tiny_config();
  config.class_dropout = 2;
  EXPECT_NE(message(config).find("diffusion.class_dropout"), std::string::npos);
  config = tiny_config();
  config.num_classes = 0;
  config.guidance_scale = 3;
  EXPECT_NE(message(config).find("guidance_scale"), std::string::npos);
  config = tiny_config();
  config.widths = {16, 18};
  EXPECT_NE(message(config).find("18 channels"), std::string::npos);
}

TEST(DiffusionConfig, OptionsReachEveryField) {
  DiffusionConfig config;
  OptionTable table;
  describe(table, "diffusion", config);
  table.set("diffusion.widths", "8,16");
  table.set("diffusion.sampler", "unipc");
  table.set("diffusion.beta_schedule", "linear");
  EXPECT_EQ(config.widths, (std::vector<int>{8, 16}));
  EXPECT_EQ(config.sampler.kind, "unipc");
  EXPECT_EQ(config.noise.beta_schedule, "linear");
}

}  // namespace
}  // namespace sono
