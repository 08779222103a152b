// Trainings and samples on a device: every tensor is where it has to be, and
// the results are those of the CPU but for rounding (attention and norms have
// other kernels there).

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "dist/local/communicator.h"
#include "tests/models/sam/tiny_sam.h"
#include "tests/trainer/device/fake_device.h"
#include "trainer/diffusion_task.h"
#include "trainer/generate.h"
#include "trainer/segmentation_task.h"
#include "trainer/trainer.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

TEST(FakeDevice, KeepsTheHostOut) {
  const at::Tensor host = at::ones({3});
  const at::Tensor away = host.to(fake_device());
  EXPECT_TRUE(at::equal((away * 2 + away).cpu(), host * 3));
  EXPECT_ANY_THROW(away + host);
  EXPECT_DEATH(away.data_ptr<float>()[0] = 1, "");
}

void train_here(Task& task, const TrainConfig& config) {
  at::set_num_threads(1);
  const fs::path dir = fs::path(::testing::TempDir()) / "device_training";
  fs::remove_all(dir);
  run_local_ranks(1, [&](Communicator& comm) {
    const StopSignal stop;
    train(comm, task, config, "abc", dir, stop, nullptr, "test");
  });
}

TrainConfig three_steps() {
  TrainConfig config;
  config.steps = 3;
  config.batch_size = 4;
  config.lanes = 2;
  config.ema_decay = 0.9;
  config.eps = 1e-2;  // or rounding would choose the sign of small updates
  config.checkpoint_every = 1;
  return config;
}

DiffusionConfig diffusion_config(const std::string& mode) {
  DiffusionConfig config;
  config.mode = mode;
  config.image_width = 24;
  config.image_height = 16;
  config.widths = {8, 16};
  config.attention_levels = 1;
  config.attention_head_dim = 4;
  config.norm_groups = 2;
  config.num_classes = 2;
  config.guidance_scale = 1.5;
  config.sampler.num_steps = 3;
  return config;
}

DiffusionExamples examples() {
  return {2, [](std::int64_t index, Random& random) {
            at::Tensor image = at::empty({1, 16, 24});
            random.fill_normal(image.data_ptr<float>(), 16 * 24);
            at::Tensor mask = at::zeros({1, 16, 24});
            mask.narrow(1, 4, 8).narrow(2, 5 + index, 10).fill_(1);
            return DiffusionExample{image, mask, 1 + index};
          }};
}

void expect_near(const StateDict& here, const StateDict& there) {
  ASSERT_EQ(here.size(), there.size());
  for (const auto& [name, tensor] : here) {
    EXPECT_LT((tensor - there.at(name)).abs().max().item<double>(), 2e-5)
        << name;
  }
}

StateDict train_generator(const std::string& mode, const at::Device& device) {
  DiffusionModel model(diffusion_config(mode));
  model.unet().initialize(3);
  model.unet().to(device);
  DiffusionTaskConfig task_config;
  task_config.batch_size = 4;
  DiffusionTask task(model, examples(), task_config);
  train_here(task, three_steps());
  StateDict weights;
  for (const auto& [name, tensor] : model.unet().state()) {
    EXPECT_EQ(tensor.device(), device) << name;
    weights[name] = tensor.detach().cpu();
  }
  return weights;
}

TEST(OnADevice, TheGeneratorTrainsAsOnTheCpu) {
  for (const char* mode : {"concat", "joint"}) {
    expect_near(train_generator(mode, at::kCPU),
                train_generator(mode, fake_device()));
  }
}

std::vector<GeneratedPair> sample(const std::string& mode,
                                  const std::string& sampler,
                                  const at::Device& device) {
  DiffusionConfig config = diffusion_config(mode);
  config.sampler.kind = sampler;
  DiffusionModel model(config);
  model.unet().initialize(3);
  model.unet().to(device);
  const EllipsePrior outlines({{12, 8, 6, 4, 0.2}}, {24, 16});
  return generate_pairs(model, {.outlines = &outlines, .class_ids = {2}},
                        first_attempts(0, 3), {.batch_size = 2});
}

TEST(OnADevice, TheGeneratorSamplesAsOnTheCpu) {
  for (const char* sampler :
       {"ddim", "unipc", "ddpm", "dpmpp_2m", "euler_ancestral"}) {
    for (const char* mode : {"concat", "joint"}) {
      const auto here = sample(mode, sampler, at::kCPU);
      const auto there = sample(mode, sampler, fake_device());
      for (std::size_t i = 0; i < here.size(); ++i) {
        // A grey level, where a value lay on the edge between two.
        EXPECT_LE(cv::norm(here[i].image, there[i].image, cv::NORM_INF), 1)
            << mode << " " << sampler;
      }
    }
  }
}

TrainingPool sam_pool() {
  return {
      .count = 2, .variants = 1, .get = [](std::int64_t index, std::int64_t) {
        const at::Tensor images = scattered("train.images", {4, 3, 64, 64});
        TrainingView view;
        view.input = images.narrow(0, index, 1);
        view.target = at::zeros({32, 32});
        view.target.narrow(0, 3, 12).narrow(1, 4 + index, 12).fill_(1);
        view.box = {4, 3, 15, 14};
        view.whole = {0, 0, 32, 32};
        return view;
      }};
}

StateDict tune_sam(TunedParts parts, const at::Device& device) {
  Sam model(tiny_sam_config());
  model.load(scattered_state(model), "made-up weights");
  model.move_to(device);
  SegmentationTask task(model, sam_pool(), {},
                        {.parts = parts, .batch_size = 4, .max_jitter_px = 2});
  train_here(task, three_steps());
  StateDict tuned;
  for (const auto& [name, tensor] : task.parameters()) {
    EXPECT_EQ(tensor.device(), device) << name;
    tuned[name] = tensor.detach().cpu();
  }
  SamPrompts prompts;
  prompts.points = at::tensor({5.f, 6.f}).view({1, 1, 2}).to(device);
  prompts.point_labels = at::ones({1, 1}, at::kLong).to(device);
  const at::Tensor image = scattered("images", {1, 3, 64, 64}).to(device);
  tuned["answer"] =
      model.decode(model.encode(image), prompts).logits.detach().cpu();
  return tuned;
}

TEST(OnADevice, SamTunesAndAnswersAsOnTheCpu) {
  for (const TunedParts parts : {TunedParts::kDecoder, TunedParts::kWhole}) {
    expect_near(tune_sam(parts, at::kCPU), tune_sam(parts, fake_device()));
  }
}

}  // namespace
}  // namespace sono
