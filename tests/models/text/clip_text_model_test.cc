// ClipTextModel against transformers' CLIPTextModel (tests/parity/clip.py).
// CLIP_FULL names the folder of another run: tests/parity/full/clip.py.

#include "models/text/clip_text_model.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/error.h"
#include "core/safetensors_header.h"
#include "models/io/safetensors.h"
#include "models/text/clip_tokenizer.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

// fp32 of the same formula in another order of additions.
constexpr double kTolerance = 1e-5;
// Relative, in bf16, whose numbers have 8 bits.
constexpr double kBf16Tolerance = 2e-2;

const std::string kFixtures =
    std::string(SONO_SOURCE_DIR) + "/tests/parity/fixtures/";

std::string fixture_path() {
  const char* full = std::getenv("CLIP_FULL");
  return (full ? std::string(full) + "/" : kFixtures) + "clip_text.safetensors";
}

const std::string kFixture = fixture_path();

std::string scientific(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

class ClipTextParity : public ::testing::TestWithParam<const char*> {
 protected:
  ClipTextParity()
      : fixture(load_safetensors(kFixture)),
        model(ClipTextConfig::read(
            {read_header(kFixture).metadata.at(GetParam()), kFixture})) {
    for (const auto& [name, tensor] : fixture) {
      if (name.rfind("param.", 0) == 0) {
        state[name.substr(6)] = tensor;
      }
    }
    model.adopt_state(state, kFixture);
  }

  const at::Tensor& expected(const std::string& name) const {
    return fixture.at(GetParam() + ("." + name));
  }
  double error(const std::string& name, const at::Tensor& ids,
               std::int64_t clip_skip = 1) const {
    const at::NoGradGuard no_grad;
    return (model(ids, clip_skip) - expected(name)).abs().max().item<double>();
  }

  StateDict fixture, state;
  ClipTextModel model;
};

TEST_P(ClipTextParity, HiddenStatesEqualThePeers) {
  const at::Tensor ids = fixture.at("ids");
  const double last = error("skip1", ids);
  RecordProperty("max_error", scientific(last));
  EXPECT_LT(last, kTolerance);
  EXPECT_LT(error("skip2", ids, 2), kTolerance);
  EXPECT_LT(error("short", ids.narrow(0, 0, 1).narrow(1, 0, 5)), kTolerance);
}

TEST_P(ClipTextParity, OneChangedWeightIsSeen) {
  at::NoGradGuard no_grad;
  const at::Tensor ids = fixture.at("ids");
  EXPECT_GT(error("skip1", ids, 2), kTolerance);
  for (const char* name :
       {"text_model.encoder.layers.0.self_attn.k_proj.weight",
        "text_model.encoder.layers.2.mlp.fc2.bias",
        "text_model.embeddings.position_embedding.weight"}) {
    const at::Tensor weight = model.state().at(name);
    weight.view(-1)[3].add_(0.1);
    EXPECT_GT(error("skip1", ids), kTolerance) << name;
    weight.view(-1)[3].sub_(0.1);
  }
}

TEST_P(ClipTextParity, Bf16IsAsClose) {
  at::NoGradGuard no_grad;
  model.adopt_state(state, kFixture, at::kBFloat16);
  const at::Tensor out = model(fixture.at("ids"));
  EXPECT_EQ(out.scalar_type(), at::kBFloat16);
  const at::Tensor& peer = expected("bf16");
  const double relative =
      ((out.to(at::kFloat) - peer).norm() / peer.norm()).item<double>();
  RecordProperty("bf16_error", scientific(relative));
  EXPECT_LT(relative, kBf16Tolerance);
}

TEST_P(ClipTextParity, APromptDoesNotDependOnItsBatch) {
  at::NoGradGuard no_grad;
  const at::Tensor both = model(fixture.at("ids"));
  const at::Tensor alone = model(fixture.at("ids").narrow(0, 1, 1));
  EXPECT_LT((both[1] - alone[0]).abs().max().item<double>(), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Activations, ClipTextParity,
                         ::testing::Values("quick_gelu", "gelu"));

ClipTextConfig read(const std::string& text) {
  return ClipTextConfig::read({text, "text_encoder/config.json"});
}

// Those of Stable Diffusion 1.5 and 2.1, as published.
TEST(ClipTextConfig, ReadsThePublishedConfigs) {
  const ClipTextConfig sd1 = read(R"({
    "_name_or_path": "openai/clip-vit-large-patch14",
    "architectures": ["CLIPTextModel"], "attention_dropout": 0.0,
    "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2,
    "hidden_act": "quick_gelu", "hidden_size": 768, "initializer_factor": 1.0,
    "initializer_range": 0.02, "intermediate_size": 3072,
    "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
    "model_type": "clip_text_model", "num_attention_heads": 12,
    "num_hidden_layers": 12, "pad_token_id": 1, "projection_dim": 768,
    "torch_dtype": "float32", "transformers_version": "4.22.0.dev0",
    "vocab_size": 49408})");
  EXPECT_EQ(sd1.num_hidden_layers, 12);
  const ClipTextConfig sd2 = read(R"({"architectures": ["CLIPTextModel"],
    "hidden_act": "gelu", "hidden_size": 1024, "intermediate_size": 4096,
    "num_attention_heads": 16, "num_hidden_layers": 23, "vocab_size": 49408})");
  EXPECT_EQ(sd2.num_hidden_layers, 23);
  EXPECT_EQ(sd2.hidden_act, ClipTextConfig::Activation::kGelu);
}

TEST(ClipTextConfig, RefusesOtherModelsAndAbsurdNumbers) {
  const std::string file = "text_encoder/config.json";
  EXPECT_ERROR(read(R"({"architectures": ["T5EncoderModel"]})"), DataError,
               file, "describes a T5EncoderModel; wanted CLIPTextModel");
  EXPECT_ERROR(read("{}"), DataError, file, "vocab_size is missing");
  const std::string rest =
      R"(, "intermediate_size": 4, "num_hidden_layers": 2, "vocab_size": 9)";
  EXPECT_ERROR(
      read(R"({"hidden_size": 10, "num_attention_heads": 4)" + rest + "}"),
      DataError, file, "hidden_size is no multiple of num_attention_heads");
  EXPECT_ERROR(
      read(R"({"hidden_size": 8, "num_attention_heads": 0)" + rest + "}"),
      DataError, file, "num_attention_heads is 0; wanted 1 to");
  EXPECT_ERROR(read(R"({"hidden_size": 8, "num_attention_heads": 4,
                        "hidden_act": "mish")" +
                    rest + "}"),
               DataError, file, "hidden_act is \"mish\"");
  EXPECT_ERROR(read(R"({"hidden_size": 8, "num_attention_heads": 4,
                        "rope_theta": 3)" +
                    rest + "}"),
               DataError, file, "rope_theta: 3");
}

TEST(ClipTextModel, RefusesATokenizerThatDoesNotMatch) {
  const ClipTokenizer tokenizer(kFixtures + "clip_tokenizer");
  ClipTextConfig config;
  config.hidden_size = config.intermediate_size = 8;
  config.num_attention_heads = config.num_hidden_layers = 1;
  config.vocab_size = tokenizer.largest_id() + 1;
  EXPECT_NO_THROW(ClipTextModel(config).check_tokenizer(tokenizer, "sd"));
  config.max_position_embeddings = 16;
  EXPECT_ERROR(ClipTextModel(config).check_tokenizer(tokenizer, "sd"),
               DataError, "sd: its tokenizer makes prompts of 77 tokens");
  config.vocab_size -= 1;
  EXPECT_ERROR(ClipTextModel(config).check_tokenizer(tokenizer, "sd"),
               DataError, "sd: its tokenizer has ids up to");
}

TEST(ClipTextModel, RefusesAnAbsurdClipSkip) {
  ClipTextConfig config;
  config.hidden_size = config.intermediate_size = config.vocab_size = 8;
  config.num_attention_heads = config.num_hidden_layers = 1;
  ClipTextModel model(config);
  const at::Tensor ids = at::zeros({1, 77}, at::kLong);
  EXPECT_ERROR(model(ids, 2), ConfigError, "clip_skip is 2");
  EXPECT_ERROR(model(ids, 0), ConfigError, "clip_skip is 0");
}

}  // namespace
}  // namespace sono
