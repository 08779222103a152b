#include "models/io/config_json.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

ConfigJson config(std::string_view text) { return {text, "unet/config.json"}; }

TEST(ConfigJson, ReadsEachType) {
  ConfigJson json = config(R"({"channels": 4, "scale": 0.18215, "centre": false,
      "act_fn": "silu", "widths": [320, 640], "down": ["A", "B"],
      "flags": [true, false], "betas": [0.1, 1]})");
  EXPECT_EQ(json.integer("channels"), 4);
  EXPECT_EQ(json.number("scale"), 0.18215);
  EXPECT_FALSE(json.boolean("centre"));
  EXPECT_EQ(json.text("act_fn"), "silu");
  EXPECT_EQ(json.integers("widths"), (std::vector<std::int64_t>{320, 640}));
  EXPECT_EQ(json.texts("down"), (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(json.booleans("flags"), (std::vector<bool>{true, false}));
  EXPECT_EQ(json.numbers("betas"), (std::vector<double>{0.1, 1}));
  EXPECT_NO_THROW(json.finish());
}

TEST(ConfigJson, FallsBackOnlyWhereAKeyIsAbsent) {
  ConfigJson json = config(R"({"a": null})");
  EXPECT_EQ(json.integer("b", {}, 7), 7);
  EXPECT_EQ(json.text("b", "silu"), "silu");
  EXPECT_ERROR(json.integer("b"), DataError, "unet/config.json",
               "b is missing");
  EXPECT_ERROR(json.integer("a", {}, 7), DataError, "a is null");
  EXPECT_EQ(json.optional_integer("a"), std::nullopt);
  EXPECT_EQ(json.optional_text("b"), std::nullopt);
}

TEST(ConfigJson, TakesOneNumberForAList) {
  ConfigJson json = config(R"({"one": 8, "all": [5, 10], "flag": true})");
  const std::vector<std::int64_t> eights{8, 8}, given{5, 10}, twos{2, 2};
  EXPECT_EQ(json.integer_each("one", 2), eights);
  EXPECT_EQ(json.integer_each("all", 2), given);
  EXPECT_EQ(json.integer_each("absent", 2, {}, 2), twos);
  EXPECT_EQ(json.boolean_each("flag", 2), (std::vector<bool>{true, true}));
  EXPECT_ERROR(json.integer_each("all", 3), DataError,
               "all has 2 entries; wanted 3");
}

TEST(ConfigJson, RefusesWrongTypesAndAbsurdNumbers) {
  const auto channels = [](const char* value) {
    ConfigJson json = config(std::string(R"({"channels": )") + value + "}");
    return json.integer("channels");
  };
  EXPECT_ERROR(channels("-1"), DataError,
               "channels is -1; wanted 1 to 1048576");
  EXPECT_ERROR(channels("1000000000"), DataError, "wanted 1 to 1048576");
  EXPECT_ERROR(channels("18446744073709551615"), DataError,
               "channels is 18446744073709551615; wanted 1 to");
  EXPECT_ERROR(channels("8.5"), DataError, "whole number");
  EXPECT_ERROR(channels("1e40"), DataError, "whole number");
  EXPECT_ERROR(channels("\"8\""), DataError, "whole number");
  EXPECT_ERROR(channels("[8]"), DataError, "whole number");
  EXPECT_ERROR(channels("{}"), DataError, "whole number");
  EXPECT_ERROR(channels("true"), DataError, "whole number");
  ConfigJson json = config(R"({"eps": -1, "w": [1, -2], "f": 1, "t": []})");
  EXPECT_ERROR(json.number("eps"), DataError, "eps is -1; wanted 0.0 to");
  EXPECT_ERROR(json.integers("w"), DataError, "w is -2");
  EXPECT_ERROR(json.boolean("f"), DataError, "true or false");
  EXPECT_ERROR(json.text("t"), DataError, "wanted a text");
  EXPECT_ERROR(json.integers("eps"), DataError, "wanted a list");
}

TEST(ConfigJson, RefusesLongLists) {
  std::string text = R"({"w": [1)";
  for (int i = 0; i < 5000; ++i) text += ",1";
  ConfigJson json = config(text + "]}");
  EXPECT_ERROR(json.integers("w"), DataError, "w is a list of 5001 entries");
}

TEST(ConfigJson, ChecksTheClass) {
  const auto named = [](const char* text) {
    return config(text).expect_class({"UNet2DModel", "UNet2DConditionModel"});
  };
  EXPECT_EQ(named(R"({"_class_name": "UNet2DModel"})"), "UNet2DModel");
  EXPECT_EQ(named(R"({"architectures": ["UNet2DModel"]})"), "UNet2DModel");
  EXPECT_EQ(named("{}"), "UNet2DModel");
  EXPECT_ERROR(named(R"({"_class_name": "AutoencoderKL"})"), DataError,
               "unet/config.json: describes a AutoencoderKL; wanted "
               "UNet2DModel, UNet2DConditionModel");
  EXPECT_ERROR(named(R"({"_class_name": 3})"), DataError, "_class_name is 3");
}

TEST(ConfigJson, NamesEverySettingThatNobodyRead) {
  ConfigJson json = config(R"({"_diffusers_version": "0.6", "sample_size": 64,
      "dropout": 0.5, "class_embed_type": null, "addition_embed_type": "text",
      "mid_block_scale_factor": 1, "act_fn": "silu"})");
  json.only("mid_block_scale_factor", 1.0);
  json.only("act_fn", "silu");
  json.only("absent", 3);
  json.ignore({"sample_size"});
  EXPECT_ERROR(json.finish(), DataError, "unet/config.json", "dropout: 0.5",
               "addition_embed_type: \"text\"");
  EXPECT_ERROR(json.only("dropout", 0), DataError,
               "dropout is 0.5; only 0 is implemented");
  EXPECT_ERROR(json.only("class_embed_type", "simple"), DataError,
               "class_embed_type is null");
  EXPECT_NO_THROW(json.only("addition_embed_type", "text"));
  EXPECT_NO_THROW(json.finish());
}

TEST(ConfigJson, NamesTheChoices) {
  ConfigJson json = config(R"({"act": "mish"})");
  EXPECT_ERROR(json.choice("act", {"silu", "gelu"}), DataError,
               "act is \"mish\", which is not implemented; known: silu, gelu");
}

TEST(ConfigJson, RefusesWhatIsNoObject) {
  for (const char* text : {"", "[]", "3", "{", "{\"a\": 1}}", "\xff\xfe",
                           "{\"a\": NaN}", "{\"a\": 1e999}"}) {
    EXPECT_ERROR(config(text), DataError, "unet/config.json");
  }
  EXPECT_ERROR(config(R"({"a": 1, "b": {"a": 2}, "a": 3})"), DataError,
               "a is there twice");
  EXPECT_NO_THROW(config(R"({"a": 1, "b": {"a": 2}})"));
  // Deep enough to exhaust the stack of whoever prints it.
  const std::string open(300'000, '['), close(300'000, ']');
  EXPECT_ERROR(config(open), DataError, "nested too deeply");
  EXPECT_ERROR(config(R"({"channels": )" + open + close + "}"), DataError,
               "unet/config.json: nested too deeply");
}

TEST(ConfigJson, RefusesMissingAndHugeFiles) {
  const auto path = std::filesystem::path(testing::TempDir()) / "config.json";
  EXPECT_ERROR(ConfigJson{path / "absent"}, DataError, "absent");
  std::ofstream(path) << std::string((1 << 20) + 1, ' ');
  EXPECT_ERROR(ConfigJson{path}, DataError, "too many for a file of this kind");
}

}  // namespace
}  // namespace sono
