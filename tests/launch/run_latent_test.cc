// Recipes with a published model: a LoRA for each trimester, pairs or plain
// images, the same on any number of ranks.

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "data/shards/reader.h"
#include "experiments/report/cases.h"
#include "tests/launch/program.h"
#include "tests/launch/tiny_run.h"
#include "tests/launch/tiny_stable_diffusion.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

class RunLatent : public TinyRun {
 protected:
  void SetUp() override {
    TinyRun::SetUp();
    write_tiny_stable_diffusion(in("model"));
  }
  std::string latent(const std::string& out,
                     const std::string& more = "") const {
    return run(out,
               "--set diffusion.model=stable-diffusion --set "
               "stable_diffusion.folder=" +
                   in("model") +
                   " --set stable_diffusion.resolution=64 --set "
                   "stable_diffusion.sampling_steps=2 --set lora.rank=2 " +
                   more);
  }
  // The folder of the one stage whose name begins so.
  fs::path stage(const std::string& out, const std::string& name) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(in(out + "/stages"))) {
      if (entry.path().filename().string().starts_with(name)) {
        found.push_back(entry.path());
      }
    }
    EXPECT_EQ(found.size(), 1u) << name;
    return found.empty() ? fs::path() : found[0];
  }
};

constexpr char kByTrimester[] =
    "--set experiment.arms=none,joint --set "
    "stable_diffusion.lora_per=trimester "
    "--set experiment.generator_images=2 --set text_lora.targets=attention "
    "--set text_lora.rank=2 --set "
    "'stable_diffusion.caption=a fetal head, {trimester} trimester'";

TEST_F(RunLatent, AWholeRecipeOnOneAndTwoRanks) {
  expect_result(latent("one", kByTrimester), 0, {"report: "});
  expect_result(latent("two", std::string(kByTrimester) + " --local-ranks 2"),
                0, {"report: "});
  for (const char* file : {"cases.csv", "summary.json"}) {
    EXPECT_EQ(read_file(in(std::string("one/") + file)),
              read_file(in(std::string("two/") + file)))
        << file;
  }
  const ShardReader one(stage("one", "generate-joint") / "dataset");
  const ShardReader two(stage("two", "generate-joint") / "dataset");
  EXPECT_EQ(one.manifest().dataset_hash, two.manifest().dataset_hash);
  const ShardSample sample = one.read(0);
  EXPECT_EQ(sample.image.size(), cv::Size(64, 64));
  const std::string prompt = sample.provenance.at("prompt");
  EXPECT_TRUE(prompt.starts_with("a fetal head, ") &&
              prompt.ends_with(" trimester"))
      << prompt;
}

// The mask is shown to the model, so every pair has the one that was asked for.
TEST_F(RunLatent, MasksThatAreShownOnOneAndTwoRanks) {
  const std::string arms = "--set experiment.arms=concat,controlnet ";
  expect_result(latent("one", arms), 0, {"report: "});
  expect_result(latent("two", arms + "--local-ranks 2"), 0, {"report: "});
  std::vector<ShardSample> firsts;
  for (const char* arm : {"concat", "controlnet"}) {
    const std::string name = std::string("generate-") + arm;
    const ShardReader one(stage("one", name) / "dataset");
    const ShardReader two(stage("two", name) / "dataset");
    EXPECT_EQ(one.manifest().dataset_hash, two.manifest().dataset_hash) << arm;
    firsts.push_back(one.read(0));
  }
  const cv::Mat masks = firsts[0].mask != firsts[1].mask;
  EXPECT_GT(cv::countNonZero(firsts[0].mask), 0);
  EXPECT_EQ(cv::countNonZero(masks), 0) << "the outlines of one seed";
  const cv::Mat images = firsts[0].image != firsts[1].image;
  EXPECT_GT(cv::countNonZero(images), 0);
}

// What a LoRA learned and how strongly it counts is to be seen in the pixels.
TEST_F(RunLatent, TheLoraAndItsStrengthCount) {
  const std::string joint = "--set experiment.arms=joint ";
  const std::string strong = joint + "--set adapt.learning_rate=1 ";
  const auto hash = [&](const std::string& out) {
    return ShardReader(stage(out, "generate-joint") / "dataset").read(0);
  };
  expect_result(latent("learned", strong), 0, {"report: "});
  expect_result(
      latent("off", strong + "--set stable_diffusion.lora_strength=0"), 0,
      {"report: "});
  const cv::Mat difference = hash("learned").image != hash("off").image;
  EXPECT_GT(cv::countNonZero(difference), 0);
}

TEST_F(RunLatent, ImagesAloneNeedNoMasks) {
  for (const char* label : {"brain", "femur"}) {
    fs::create_directories(in("planes/") + label);
    const std::string from = copy_cohort(std::string("copy-") + label);
    int taken = 0;
    for (const auto& file : fs::directory_iterator(from + "/training_set")) {
      const std::string name = file.path().filename();
      if (name.ends_with("_HC.png") && taken++ < 2) {
        fs::copy(file.path(), in("planes/") + label + "/" + label + name);
      }
    }
  }
  const std::string images = latent(
      "out",
      "--set experiment.task=generate --set experiment.generator_images=1 "
      "--set data.cohorts=planes --set data.train=planes --set "
      "data.planes=" +
          in("planes") +
          " --set 'stable_diffusion.caption=an image of {label}'");
  // The tiny run's own cohort is not of this recipe.
  const std::string own = "--set data.heads=";
  const auto begin = images.find(own);
  const std::string command =
      images.substr(0, begin) +
      images.substr(images.find(' ', begin + own.size()) + 1);
  expect_result(command, 0, {"4 images, hash "});
  const ShardReader reader(stage("out", "generate-images") / "dataset");
  EXPECT_EQ(reader.read(0).provenance.at("prompt"), "an image of brain");
  EXPECT_EQ(reader.read(1).provenance.at("prompt"), "an image of femur");
  EXPECT_EQ(reader.read(0).provenance.at("gate").at("accepted"), true);
  expect_result(command + " --dry-run", 0, {"adapt-images-n1-s0", "finished"});
}

TEST_F(RunLatent, NamesWhatIsWrong) {
  int number = 0;  // each in a folder of its own: some fail after it is made
  const auto refuse = [&](const std::string& more, int code,
                          const std::string& part) {
    expect_result(latent("bad" + std::to_string(number++), more), code, {part});
  };
  refuse("--set experiment.arms=sdedit", 2, "needs diffusion.model = pixel");
  refuse("--set experiment.arms=controlnet --set text_lora.targets=attention",
         2, "arm controlnet and text_lora.targets exclude");
  refuse("--set experiment.arms=joint --set stable_diffusion.resolution=100", 2,
         "no multiple of 64");
  refuse("--set experiment.arms=joint --set 'stable_diffusion.caption={label}'",
         2, "no class folders");
  refuse("--set experiment.arms=joint --set stable_diffusion.folder=" +
             in("nowhere"),
         2, "nowhere");
}

}  // namespace
}  // namespace sono
