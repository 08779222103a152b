// `sonoforge train diffusion`, end to end on a small model: from a folder of
// images to LoRA files, the same on any number of ranks and after a stop.

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/atomic_file.h"
#include "models/io/safetensors.h"
#include "tests/launch/program.h"
#include "tests/launch/tiny_stable_diffusion.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

constexpr char kConfig[] = R"([data]
channels = joint
caption = a fetal head
variants = 2
resolution = 32
step = 8
min_side = 16
max_side = 64
[lora]
rank = 2
dropout = 0.1
[train]
steps = 5
batch_size = 3
lanes = 3
ema_decay = 0.9
checkpoint_every = 2
[diffusion]
min_snr_gamma = 5
noise_offset = 0.05
caption_dropout = 0.1
[validation]
fraction = 0.3
every = 2
[output]
dialects = diffusers,peft,kohya
)";

class TrainCommand : public testing::Test {
 protected:
  TrainCommand() {
    std::string name = (fs::temp_directory_path() / "sono.XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    write_tiny_stable_diffusion(folder_ / "model");
    write_file_atomic(folder_ / "lora.ini", kConfig);
    run_program("phantom --count 6 --out " + in("heads") +
                " --set phantom.width=120 --set phantom.height=88");
  }
  ~TrainCommand() override { fs::remove_all(folder_); }

  std::string in(const std::string& name) const {
    return (folder_ / name).string();
  }
  std::string command(const std::string& out) const {
    return "train diffusion --config " + in("lora.ini") + " --out " + in(out) +
           " --set model.path=" + in("model") +
           " --set data.folder=" + in("heads");
  }
  // The first line of that kind in a training's log.
  nlohmann::json event(const std::string& out, const std::string& kind) const {
    std::istringstream log(read_file(folder_ / out / "log.jsonl"));
    for (std::string line; std::getline(log, line);) {
      const auto entry = nlohmann::json::parse(line);
      if (entry.value("event", "") == kind) return entry;
    }
    ADD_FAILURE() << out << " logged no " << kind;
    return {};
  }
  // All that a training writes for others, by name.
  std::map<std::string, std::string> written(const std::string& out) const {
    std::map<std::string, std::string> files;
    for (const char* part : {"lora", "controlnet", "previews"}) {
      if (!fs::exists(folder_ / out / part)) continue;
      for (const auto& entry :
           fs::recursive_directory_iterator(folder_ / out / part)) {
        if (!entry.is_regular_file()) continue;
        files[entry.path().lexically_relative(folder_ / out)] =
            read_file(entry.path());
      }
    }
    return files;
  }
  std::string files_of(const std::string& out) const {
    std::string all;
    for (const char* name :
         {"diffusers/pytorch_lora_weights.safetensors",
          "peft/adapter_model.safetensors", "peft/adapter_config.json",
          "kohya/lora.safetensors"}) {
      all += read_file(folder_ / out / "lora" / name);
    }
    return all;
  }

  fs::path folder_;
};

TEST_F(TrainCommand, SameFilesOnAnyNumberOfRanks) {
  expect_result(command("one"), 0,
                {"5 steps", "held-out loss", "lora/diffusers", "lora/kohya",
                 "the autoencoder alone: masks of"});
  expect_result(command("three") + " --local-ranks 3", 0, {"5 steps"});
  EXPECT_TRUE(files_of("one") == files_of("three"));
  const nlohmann::json cost = event("one", "vae_round_trip");
  EXPECT_GT(cost.at("dice_as_drawn"), 0.9);
  EXPECT_LT(cost.at("dice"), 0.9) << "random weights keep no outline";
  EXPECT_EQ(cost.at("dice"), event("three", "vae_round_trip").at("dice"));
  expect_result("inspect " + in("one/lora/kohya/lora.safetensors"), 0,
                {"LoRA as kohya writes it", "lora_unet_mid_block"});
  expect_result(command("one"), 0, {"5 steps"});  // finished: only written
  const std::string other = command("one") + " --set lora.rank=3";
  expect_result(other, 2, {"lora.rank: 2 -> 3", "add --update"});
  expect_result(other + " --update", 0, {"5 steps"});
  EXPECT_FALSE(files_of("one") == files_of("three"));
}

// Every way of training, each with pictures.
TEST_F(TrainCommand, EveryWayGivesTheSameFilesOnAnyNumberOfRanks) {
  const std::string short_run =
      " --set train.steps=2 --set validation.fraction=0 --set "
      "preview.every=2 --set preview.count=2 --set preview.sampling_steps=2 ";
  const struct {
    const char *name, *options, *file;
  } ways[] = {
      {"text",
       "--set text_lora.targets=attention --set text_lora.rank=2 --set "
       "text_lora.learning_rate=1e-5 --set 'preview.prompts=a head,a brain'",
       "lora/peft/text_encoder/adapter_model.safetensors"},
      {"concat", "--set data.channels=concat",
       "lora/diffusers/conv_in.safetensors"},
      {"controlnet", "--set data.channels=controlnet --set lora.dropout=0",
       "controlnet/diffusion_pytorch_model.safetensors"},
      {"bf16", "--set diffusion.base_dtype=bfloat16",
       "lora/kohya/lora.safetensors"},
  };
  for (const auto& way : ways) {
    const std::string name = way.name, options = short_run + way.options;
    expect_result(command(name + "1") + options, 0, {"2 steps"});
    expect_result(command(name + "2") + options + " --local-ranks 2", 0,
                  {"2 steps"});
    const auto files = written(name + "1");
    EXPECT_TRUE(files == written(name + "2")) << name;
    EXPECT_TRUE(files.contains(way.file)) << name;
    EXPECT_TRUE(files.contains("previews/step-00000002.png")) << name;
  }
  EXPECT_NE(written("text1").at("previews/step-00000002.png"),
            written("bf161").at("previews/step-00000002.png"));
}

// Also that the mask and the text encoder's LoRA are not ignored.
TEST_F(TrainCommand, MasksAndTextCount) {
  const auto files = [&](const std::string& out, const std::string& options) {
    expect_result(command(out) + " --set train.steps=2 " + options, 0,
                  {"2 steps"});
    return written(out);
  };
  const std::string concat = "--set data.channels=concat ";
  EXPECT_NE(files("shown", concat + "--set diffusion.mask_dropout=0"),
            files("hidden", concat + "--set diffusion.mask_dropout=1"));
  const std::string text = "--set text_lora.targets=attention ";
  EXPECT_NE(files("slow", text + "--set text_lora.learning_rate=1e-6"),
            files("fast", text));
}

TEST_F(TrainCommand, AStoppedTrainingGoesOn) {
  const auto stopped = signal_program(
      command("stopped") + " --set train.steps=150", "step  loss", SIGUSR1);
  expect_result(stopped, 75, {"run the same command again"});
  expect_result(command("stopped") + " --set train.steps=150 --local-ranks 3",
                0, {"going on from", "150 steps"});
  expect_result(command("straight") + " --set train.steps=150", 0,
                {"150 steps"});
  EXPECT_TRUE(files_of("stopped") == files_of("straight"));
}

TEST_F(TrainCommand, NamesWhatIsWrong) {
  const auto refuse = [&](const std::string& setting, int code,
                          const std::string& part) {
    expect_result(command("bad") + " --set " + setting, code, {part});
  };
  expect_result("train segmentation --out x", 2, {"only `train diffusion`"});
  expect_result("train diffusion", 2, {"--out DIR is missing"});
  refuse("model.path=" + in("heads"), 3, in("heads"));
  refuse("lora.targets=to_z", 2, "no layer of the unet fits 'to_z'");
  refuse("lora.rnk=3", 2, "'lora.rank'");
  refuse("output.dialects=gguf", 2, "output.dialects");
  refuse("dist.recompute=true", 2, "lora.dropout and dist.recompute");
  refuse("diffusion.zero_terminal_snr=true", 2, "v_prediction");
  refuse("data.channels=rgb", 2, "data.channels");
  refuse("data.channels=controlnet", 2, "lora.dropout exclude");
  refuse("data.channels=controlnet --set text_lora.targets=attention", 2,
         "text_lora.targets exclude");
  refuse("model.frozen_mb=1 --set diffusion.base_dtype=bfloat16", 2,
         "model.frozen_mb and diffusion.base_dtype");
  refuse("text_lora.targets=to_z", 2, "no layer of the text encoder fits");
  refuse("data.caption='{label}'", 3, "is in no class folder");
  const std::string part = in("model/unet/diffusion_pytorch_model.safetensors");
  refuse("model.path=" + part, 2, "model.tokenizer is missing");
  const std::string tokenizer = "model.tokenizer=" + in("model/tokenizer");
  refuse(tokenizer, 2, "has a tokenizer of its own");
  refuse(tokenizer + " --set model.path=" + part, 3, part);
  fs::resize_file(folder_ / "model/unet/diffusion_pytorch_model.safetensors",
                  5000);
  refuse("train.steps=5", 3, "diffusion_pytorch_model.safetensors");
}

}  // namespace
}  // namespace sono
