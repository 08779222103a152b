// Writing and reading back, and files that must be refused.

#include "models/lora/lora_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "models/io/safetensors.h"
#include "tests/models/lora/tiny_net.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

class LoraFileTest : public testing::Test {
 protected:
  LoraFileTest()
      : folder(fs::path(testing::TempDir()) /
               ("lora_file_" + std::string(testing::UnitTest::GetInstance()
                                               ->current_test_info()
                                               ->name()))) {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  ~LoraFileTest() override { fs::remove_all(folder); }

  // A set with ranks, alphas and shapes of all kinds, on `target`.
  static LoraSet& fill(LoraSet& lora) {
    lora.initialize(3);
    const at::NoGradGuard no_grad;
    for (auto& [name, tensor] : lora.named_parameters()) {
      if (name.ends_with("lora_B.weight")) {
        tensor.copy_(at::linspace(-1, 1, tensor.numel()).view(tensor.sizes()));
      }
    }
    return lora;
  }
  std::vector<LoraTarget> varied_targets() {
    return choose_targets(tiny.net,
                          {.targets = {"attention+ff", "conv"},
                           .rank = 3,
                           .alpha = 1.5,
                           .rank_pattern = {"attn2.to_k:5", "conv1:2"},
                           .alpha_pattern = {"to_v:7"}},
                          "unet", "lora");
  }
  std::string refusal(const fs::path& path) {
    try {
      attach_lora(read_lora(path), tiny.models());
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  }
  // A kohya file with one entry changed by `change`.
  template <class Change>
  fs::path changed_kohya(const Change& change) {
    StateDict state = load_safetensors(lora_fixture("kohya/lora.safetensors"));
    change(state);
    save_safetensors(folder / "changed.safetensors", state);
    return folder / "changed.safetensors";
  }

  fs::path folder;
  TinyFixture tiny;
};

TEST_F(LoraFileTest, EveryDialectComesBackAsItWas) {
  LoraSet lora(tiny.net, varied_targets());
  fill(lora);
  const at::Tensor wanted = tiny.run();
  for (const LoraDialect dialect :
       {LoraDialect::kDiffusers, LoraDialect::kPeft, LoraDialect::kKohya}) {
    const fs::path place = folder / to_string(dialect);
    save_lora(dialect, place, {{"unet", &lora}});
    TinyFixture other;
    const LoraFile file = read_lora(place);
    EXPECT_EQ(file.dialect, dialect);
    const auto loras = attach_lora(file, other.models());
    EXPECT_TRUE(at::equal(other.run(), wanted)) << to_string(dialect);
    for (std::size_t i = 0; i < lora.targets().size(); ++i) {
      const auto& had = lora.targets()[i];
      const auto& has = loras[0].second->targets()[i];
      EXPECT_EQ(had.path, has.path);
      EXPECT_EQ(had.alpha, has.alpha) << had.path;
      EXPECT_EQ(had.rank, has.rank) << had.path;
    }
    const auto again = folder / "again";
    fs::remove_all(again);
    save_lora(dialect, again, {{"unet", loras[0].second.get()}});
    for (const auto& entry : fs::directory_iterator(place)) {
      EXPECT_EQ(read_file(entry.path()),
                read_file(again / entry.path().filename()));
    }
  }
}

TEST_F(LoraFileTest, RsloraKeepsItsScale) {
  auto targets = varied_targets();
  for (auto& target : targets) target.rslora = true;
  LoraSet lora(tiny.net, targets);
  fill(lora);
  const at::Tensor wanted = tiny.run();
  for (const LoraDialect dialect :
       {LoraDialect::kDiffusers, LoraDialect::kPeft, LoraDialect::kKohya}) {
    save_lora(dialect, folder / to_string(dialect), {{"unet", &lora}});
    TinyFixture other;
    const auto loras =
        attach_lora(read_lora(folder / to_string(dialect)), other.models());
    EXPECT_LT(difference(other.run(), wanted), 1e-5) << to_string(dialect);
  }
}

TEST_F(LoraFileTest, AdapterConfigNamesShortEnds) {
  LoraSet lora(tiny.net, choose_targets(tiny.net, {}, "unet", "lora"));
  fill(lora);
  save_lora(LoraDialect::kPeft, folder, {{"unet", &lora}});
  const auto config =
      nlohmann::json::parse(read_file(folder / "adapter_config.json"));
  EXPECT_EQ(config.at("target_modules"),
            (nlohmann::json{"to_k", "to_out.0", "to_q", "to_v"}));
}

// Text encoders' names: with and without "text_model", and kohya's prefixes.
struct TinyText : Module {
  TinyText() : q_proj(4, 4) {
    add_module("text_model.encoder.layers.0.self_attn.q_proj", q_proj);
  }
  Linear q_proj;
};

TEST_F(LoraFileTest, TextEncoderGoesIntoTheSameFile) {
  TinyText text;
  text.initialize(5);
  LoraSet lora(tiny.net, varied_targets());
  LoraSet text_lora(text, choose_targets(text, {}, "text encoder", "lora"));
  fill(lora);
  fill(text_lora);
  const at::Tensor x = at::ones({1, 4});
  const at::Tensor wanted = text.q_proj(x);
  for (const LoraDialect dialect :
       {LoraDialect::kDiffusers, LoraDialect::kKohya}) {
    save_lora(dialect, folder / to_string(dialect),
              {{"unet", &lora}, {"text_encoder", &text_lora}});
    TinyFixture other;
    TinyText other_text;
    other_text.initialize(5);
    const auto loras =
        attach_lora(read_lora(folder / to_string(dialect)),
                    {{"unet", &other.net}, {"text_encoder", &other_text}});
    EXPECT_EQ(loras.size(), 2u);
    EXPECT_TRUE(at::equal(other_text.q_proj(x), wanted));
  }
  const StateDict kohya = load_safetensors(folder / "kohya/lora.safetensors");
  EXPECT_TRUE(kohya.count(
      "lora_te_text_model_encoder_layers_0_self_attn_q_proj.alpha"));
}

TEST_F(LoraFileTest, ListsEveryNameThatNoLayerHas) {
  const std::string known = "lora_unet_down_blocks_0_attentions_0_proj_in";
  const fs::path path = changed_kohya([&](StateDict& state) {
    for (const char* end : {".lora_down.weight", ".lora_up.weight", ".alpha"}) {
      state["lora_unet_input_blocks_1_1_proj_in" + std::string(end)] =
          state.at(known + end);
      state["lora_te2_x" + std::string(end)] = state.at(known + end);
    }
  });
  EXPECT_EQ(refusal(path),
            path.string() +
                ": does not fit the model:\n"
                "    no such layer: lora_te2_x\n"
                "    no such layer: lora_unet_input_blocks_1_1_proj_in");
}

TEST_F(LoraFileTest, RefusesWhatIsNoPlainLora) {
  const std::string name = "lora_unet_down_blocks_0_attentions_0_proj_in";
  const auto says = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  says(refusal(changed_kohya([&](StateDict& state) {
         state[name + ".dora_scale"] = at::ones({6});
       })),
       "not of a plain LoRA: " + name + ".dora_scale");
  says(refusal(changed_kohya(
           [&](StateDict& state) { state.erase(name + ".lora_up.weight"); })),
       "no up matrix: " + name);
  says(refusal(changed_kohya([&](StateDict& state) {
         state[name + ".lora_up.weight"] = at::ones({6, 5});
       })),
       "the two matrices of " + name + " do not fit together");
  says(refusal(changed_kohya([&](StateDict& state) {
         state[name + ".lora_up.weight"] = at::ones({7, 2});
       })),
       "shape: down_blocks.0.attentions.0.proj_in.lora_B.weight");
  says(refusal(changed_kohya(
           [&](StateDict& state) { state[name + ".alpha"] = at::zeros({}); })),
       name + ".alpha is no number above 0");
  says(refusal(changed_kohya([](StateDict& state) { state.clear(); })),
       "no layer at all");
  says(refusal(folder / "missing"), "missing");
}

TEST_F(LoraFileTest, RefusesAdapterConfigsItCannotFollow) {
  const auto refusal_of = [&](const std::string& field,
                              const nlohmann::json& value) {
    fs::copy(
        lora_fixture("attention"), folder,
        fs::copy_options::overwrite_existing | fs::copy_options::recursive);
    auto config = nlohmann::json::parse(
        read_file(lora_fixture("attention/adapter_config.json")));
    config[field] = value;
    write_file_atomic(folder / "adapter_config.json", config.dump());
    return refusal(folder);
  };
  EXPECT_EQ(refusal_of("lora_alpha", 4), "no error");
  const auto says = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  says(refusal_of("use_dora", true), "use_dora = true is not supported");
  says(refusal_of("peft_type", "LOHA"), "peft_type = \"LOHA\"");
  says(refusal_of("lora_alpha", nullptr), "'lora_alpha' is null");
  says(refusal_of("lora_alpha", "x"), "'lora_alpha' is \"x\"");
  says(refusal_of("r", 8), "has rank 4, its adapter config says otherwise");
  says(refusal_of("alpha_pattern", {{"to_[qk]", 2}}),
       "'to_[qk]' is a regular expression");
  fs::remove(folder / "adapter_config.json");
  says(refusal(folder), "adapter_config.json: is missing");
}

}  // namespace
}  // namespace sono
