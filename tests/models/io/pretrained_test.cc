// Models on disk in both layouts, and names of the original code against
// diffusers' converters (tests/parity/original_names.py).

#include "models/io/pretrained.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/random.h"
#include "models/io/safetensors.h"
#include "models/nn/layers.h"
#include "models/text/clip_text_model.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

Json original_pairs(const std::string& part) {
  const char* full = std::getenv("ORIGINAL_NAMES");
  const std::string fixture = std::string(SONO_SOURCE_DIR) +
                              "/tests/parity/fixtures/original_names.json";
  return Json::parse(read_file(full ? full : fixture)).at(part);
}

std::vector<std::string> keys_of(const Json& json) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  return keys;
}

TEST(OriginalNames, EqualThoseOfThePeersConverters) {
  for (const ModelPart part :
       {ModelPart::kUNet, ModelPart::kVae, ModelPart::kControlNet}) {
    const Json pairs = original_pairs(part_name(part));
    const OriginalNames ours = original_names(part, keys_of(pairs));
    EXPECT_GT(pairs.size(), 60u);
    for (const auto& [own, original] : pairs.items()) {
      ASSERT_TRUE(ours.count(own)) << own;
      EXPECT_EQ(ours.at(own).name, original.get<std::string>()) << own;
      EXPECT_EQ(ours.at(own).third, -1);
    }
  }
}

TEST(OriginalNames, EqualThoseOfOpenClip) {
  const Json pairs = original_pairs("open_clip");
  const OriginalNames ours = open_clip_names(keys_of(pairs));
  for (const auto& [own, original] : pairs.items()) {
    ASSERT_TRUE(ours.count(own)) << own;
    EXPECT_EQ(ours.at(own),
              (OriginalTensor{original[0], original[1].get<int>()}))
        << own;
  }
}

TEST(OriginalNames, LeaveOutWhatNoRuleCovers) {
  const std::vector<std::string> strange = {
      "",
      "down_blocks",
      "down_blocks.x.resnets.0.norm1.weight.",
      "down_blocks.0.resnets.0.strange.weight",
      "mid_block.strange.0.weight",
      "up_blocks.0.strange.weight",
      "encoder.strange",
      "add_embedding.linear_1.weight"};
  EXPECT_TRUE(original_names(ModelPart::kUNet, strange).empty());
  EXPECT_TRUE(open_clip_names(strange).empty());
}

class PretrainedTest : public ::testing::Test {
 protected:
  PretrainedTest() {
    fs::remove_all(folder);
    fs::create_directories(folder / "text_encoder");
    fs::create_directories(folder / "vae");
    config.vocab_size = config.hidden_size = 6;
    config.intermediate_size = 8;
    config.num_hidden_layers = 2;
    config.num_attention_heads = 2;
  }
  ~PretrainedTest() override { fs::remove_all(folder); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder / name, std::ios::binary) << text;
  }
  // A text encoder's parameters, each with numbers of its own.
  StateDict random_state() const {
    ClipTextModel model(config);
    model.initialize(3);
    StateDict copy;
    for (const auto& [name, tensor] : model.state()) {
      copy[name] = tensor + 0.01;
    }
    return copy;
  }
  void expect_loads(const Pretrained& files, const StateDict& expected) const {
    ClipTextModel model(config);
    files.load(ModelPart::kTextEncoder, model);
    for (const auto& [name, tensor] : model.state()) {
      EXPECT_TRUE(at::equal(tensor, expected.at(name))) << name;
    }
  }
  // The state as open_clip fuses it, with the layers that version 2 leaves out.
  StateDict open_clip_state(const StateDict& state) const {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : state) names.push_back(name);
    StateDict file;
    for (const auto& [own, original] : open_clip_names(names)) {
      const std::string name = "cond_stage_model.model." + original.name;
      const at::Tensor& tensor = state.at(own);
      if (original.third < 0) {
        file[name] = tensor;
        continue;
      }
      if (!file.count(name)) {
        std::vector<std::int64_t> shape = tensor.sizes().vec();
        shape[0] *= 3;
        file[name] = at::zeros(shape);
      }
      file[name].narrow(0, original.third * 6, 6).copy_(tensor);
    }
    return file;
  }

  fs::path folder = fs::path(::testing::TempDir()) / "pretrained_test";
  ClipTextConfig config;
};

TEST_F(PretrainedTest, LoadsATextEncoderUnderEitherSpelling) {
  write("model_index.json", R"({"_class_name": "StableDiffusionPipeline"})");
  StateDict published = random_state(), bare;
  for (const auto& [name, tensor] : published) {
    bare[name.substr(std::string("text_model.").size())] = tensor;
  }
  const StateDict expected = published;
  published["text_model.embeddings.position_ids"] =
      at::arange(77).view({1, 77});
  for (const StateDict& state : {published, bare}) {
    save_safetensors(folder / "text_encoder/model.safetensors", state);
    expect_loads(*open_pretrained(folder), expected);
  }
  // Both in one file: which is meant, nobody knows.
  published.insert(bare.begin(), bare.end());
  save_safetensors(folder / "text_encoder/model.safetensors", published);
  ClipTextModel model(config);
  EXPECT_ERROR(open_pretrained(folder)->load(ModelPart::kTextEncoder, model),
               DataError, "text_encoder/model.safetensors", "text_model.",
               "under two spellings");
}

class OldAttention : public Module {
 public:
  OldAttention() : to_q_(4, 4), to_out_(4, 4) {
    add_module("encoder.mid_block.attentions.0.to_q", to_q_);
    add_module("encoder.mid_block.attentions.0.to_out.0", to_out_);
  }

 private:
  Linear to_q_, to_out_;
};

TEST_F(PretrainedTest, LoadsAttentionUnderItsOldNames) {
  write("vae/config.json", "{}");
  const std::string block = "encoder.mid_block.attentions.0.";
  save_safetensors(folder / "vae/diffusion_pytorch_model.safetensors",
                   {{block + "query.weight", at::ones({4, 4})},
                    {block + "query.bias", at::ones({4})},
                    {block + "proj_attn.weight", at::full({4, 4}, 2.0)},
                    {block + "proj_attn.bias", at::ones({4})}});
  OldAttention module;
  open_pretrained(folder)->load(ModelPart::kVae, module);
  EXPECT_EQ(module.state().at(block + "to_out.0.weight").sum().item<float>(),
            32);
}

TEST_F(PretrainedTest, OpensOnePartAlone) {
  const StateDict state = random_state();
  const fs::path part = folder / "text_encoder";
  write("text_encoder/config.json", R"({"architectures": ["CLIPTextModel"]})");
  save_safetensors(part / "model.safetensors", state);
  const auto alone = open_pretrained(part);
  EXPECT_TRUE(alone->has(ModelPart::kTextEncoder));
  EXPECT_FALSE(alone->has(ModelPart::kUNet));
  expect_loads(*alone, state);
  write("text_encoder/config.json", R"({"_class_name": "MotionAdapter"})");
  EXPECT_ERROR(open_pretrained(part), DataError, "describes a MotionAdapter");
}

TEST_F(PretrainedTest, FindsVariantsAndShards) {
  write("model_index.json", R"({"_class_name": "StableDiffusionPipeline"})");
  const StateDict state = random_state();
  StateDict half;
  for (const auto& [name, tensor] : state) half[name] = tensor.to(at::kHalf);
  save_safetensors(folder / "text_encoder/model.fp16.safetensors", half);
  ClipTextModel model(config);
  EXPECT_ERROR(open_pretrained(folder)->load(ModelPart::kTextEncoder, model),
               DataError,
               "text_encoder: no model.safetensors or "
               "pytorch_model.bin",
               "model.fp16.safetensors");
  PretrainedOptions half_files;
  half_files.variant = "fp16";
  open_pretrained(folder, half_files)->load(ModelPart::kTextEncoder, model);
  EXPECT_EQ(model.state().begin()->second.scalar_type(), at::kFloat);
  StateDict first, second;
  Json index;
  for (const auto& [name, tensor] : state) {
    const bool one = first.size() <= second.size();
    (one ? first : second)[name] = tensor;
    index["weight_map"][name] = one ? "1.safetensors" : "2.safetensors";
  }
  save_safetensors(folder / "text_encoder/1.safetensors", first);
  save_safetensors(folder / "text_encoder/2.safetensors", second);
  write("text_encoder/model.safetensors.index.json", index.dump());
  expect_loads(*open_pretrained(folder), state);
}

TEST_F(PretrainedTest, LoadsSingleFilesOfBothVersions) {
  const StateDict state = random_state();
  StateDict one;
  for (const auto& [name, tensor] : state) {
    one["cond_stage_model.transformer." + name] = tensor;
  }
  one["cond_stage_model.transformer.text_model.embeddings.position_ids"] =
      at::arange(77).view({1, 77});
  one["alphas_cumprod"] = at::ones({1000});
  one["model_ema.decay"] = at::ones({});
  save_safetensors(folder / "1.safetensors", one);
  expect_loads(*open_pretrained(folder / "1.safetensors"), state);

  StateDict two = open_clip_state(state);
  const std::string model = "cond_stage_model.model.";
  two[model + "transformer.resblocks.2.ln_1.weight"] = at::ones({6});
  two[model + "text_projection"] = at::ones({6, 6});
  two[model + "logit_scale"] = at::ones({});
  save_safetensors(folder / "2.safetensors", two);
  const auto file = open_pretrained(folder / "2.safetensors");
  expect_loads(*file, state);
  EXPECT_ERROR(file->scheduler_config(), DataError, "2.safetensors",
               "prediction_type");
  EXPECT_ERROR(file->tokenizer_folder(), DataError, "holds no tokenizer");
  EXPECT_ERROR(file->config(ModelPart::kVae), DataError, "holds no vae");
  PretrainedOptions options;
  options.prediction_type = "v_prediction";
  EXPECT_EQ(open_pretrained(folder / "2.safetensors", options)
                ->scheduler_config()
                .text("prediction_type"),
            "v_prediction");
}

TEST_F(PretrainedTest, ListsEveryKeyThatHasNoPlace) {
  StateDict file;
  for (const auto& [name, tensor] : random_state()) {
    file["cond_stage_model.transformer." + name] = tensor;
  }
  file["cond_stage_model.transformer.text_model.extra.weight"] = at::ones({1});
  file.erase("cond_stage_model.transformer.text_model.final_layer_norm.bias");
  save_safetensors(folder / "a.safetensors", file);
  ClipTextModel model(config);
  EXPECT_ERROR(open_pretrained(folder / "a.safetensors")
                   ->load(ModelPart::kTextEncoder, model),
               DataError, "a.safetensors (text_encoder): does not fit",
               "missing: text_model.final_layer_norm.bias",
               "unexpected: cond_stage_model.transformer.text_model.extra");
  file["embedding_manager.x"] = at::ones({1});
  file["another.y"] = at::ones({1});
  save_safetensors(folder / "b.safetensors", file);
  EXPECT_ERROR(open_pretrained(folder / "b.safetensors"), DataError,
               "keys of no known part", "embedding_manager.x", "another.y");
  save_safetensors(folder / "c.safetensors", {});
  EXPECT_ERROR(open_pretrained(folder / "c.safetensors"), DataError,
               "begin with nothing");
  save_safetensors(folder / "c.safetensors", {{"lora.x", at::ones({1})}});
  EXPECT_ERROR(open_pretrained(folder / "c.safetensors"), DataError,
               "no Stable Diffusion model in the original naming");
}

TEST_F(PretrainedTest, RefusesWhatIsNoModel) {
  EXPECT_ERROR(open_pretrained(folder / "absent"), DataError, "absent",
               "no model there");
  EXPECT_ERROR(open_pretrained(folder), DataError,
               "no model in diffusers' layout");
  write("model_index.json", R"({"_class_name": "StableDiffusionXLPipeline"})");
  EXPECT_ERROR(open_pretrained(folder), DataError, "model_index.json",
               "describes a StableDiffusionXLPipeline");
}

// The configs that stand for single files are ones that the readers take.
TEST_F(PretrainedTest, ItsTextConfigsCanBeRead) {
  for (const std::string prefix :
       {"cond_stage_model.transformer.text_model.final_layer_norm.weight",
        "cond_stage_model.model.ln_final.weight"}) {
    save_safetensors(folder / "sign.safetensors", {{prefix, at::ones({1})}});
    const ClipTextConfig read =
        ClipTextConfig::read(open_pretrained(folder / "sign.safetensors")
                                 ->config(ModelPart::kTextEncoder));
    const bool one = prefix.find("transformer") != std::string::npos;
    EXPECT_EQ(read.num_hidden_layers, one ? 12 : 23);
  }
}

}  // namespace
}  // namespace sono
