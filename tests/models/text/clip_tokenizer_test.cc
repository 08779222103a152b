// ClipTokenizer against transformers' CLIPTokenizer (tests/parity/clip.py), and
// the tokenizer files it refuses. CLIP_FULL names the folder of another run,
// for the first test alone: tests/parity/full/clip.py.

#include "models/text/clip_tokenizer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "models/text/unicode.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Ids = std::vector<std::int64_t>;

fs::path fixture() {
  const char* full = std::getenv("CLIP_FULL");
  return full ? fs::path(full) / "tokenizer"
              : fs::path(SONO_SOURCE_DIR) /
                    "tests/parity/fixtures/clip_tokenizer";
}

// A folder that tests fill with the fixture's files, changed.
class ClipTokenizerTest : public ::testing::Test {
 protected:
  ClipTokenizerTest()
      : cases(Json::parse(read_file(fixture() / "cases.json"))) {
    fs::remove_all(folder);
    fs::create_directories(folder);
    for (const char* file : {"vocab.json", "merges.txt"}) {
      fs::copy_file(fixture() / file, folder / file);
    }
  }
  ~ClipTokenizerTest() override { fs::remove_all(folder); }

  void write(const std::string& file, const std::string& text) const {
    std::ofstream(folder / file, std::ios::binary) << text;
  }
  // What the peer gave for prompt `i`; only differences to "none" are kept.
  Ids expected(const std::string& setting, std::size_t i) const {
    const Json& ids = cases.at("ids").at(setting);
    const std::string key = std::to_string(i);
    if (ids.is_object()) {
      return ids.contains(key) ? ids.at(key).get<Ids>() : expected("none", i);
    }
    return ids.at(i).get<Ids>();
  }
  void expect_equal(const ClipTokenizer& tokenizer,
                    const std::string& setting) const {
    const auto prompts = cases.at("prompts").get<std::vector<std::string>>();
    ASSERT_EQ(prompts.size(), 300u);
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      EXPECT_EQ(tokenizer.tokenize(prompts[i]), expected(setting, i))
          << setting << " " << i << ": " << prompts[i];
    }
    const auto padded =
        cases.at("ids").at(setting + "_padded").get<std::vector<Ids>>();
    for (std::size_t i = 0; i < padded.size(); ++i) {
      EXPECT_EQ(tokenizer.encode(prompts[i]).ids, padded[i]) << prompts[i];
    }
  }

  Json cases;
  fs::path folder = fs::path(::testing::TempDir()) / "clip_tokenizer_test";
};

TEST_F(ClipTokenizerTest, IdsEqualThePeers) {
  for (const auto& [name, settings] : cases.at("settings").items()) {
    write("tokenizer_config.json", settings.is_null() ? "{}" : settings.dump());
    expect_equal(ClipTokenizer(folder), name);
  }
}

// The control of the test above: two merges in the wrong order must be seen.
TEST_F(ClipTokenizerTest, AnotherOrderOfMergesGivesOtherIds) {
  const std::string merges = read_file(folder / "merges.txt");
  const std::size_t first = merges.find('\n') + 1;
  const std::size_t second = merges.find('\n', first) + 1;
  write("merges.txt", merges.substr(0, first) + merges.substr(second));
  const ClipTokenizer other(folder);
  std::size_t different = 0;
  for (std::size_t i = 0; i < 300; ++i) {
    different += other.tokenize(cases.at("prompts").at(i).get<std::string>()) !=
                 expected("none", i);
  }
  EXPECT_GT(different, 10u);
}

// transformers 5 saves this file alone.
TEST_F(ClipTokenizerTest, ReadsTokenizerJson) {
  Json json = {{"added_tokens", Json::array()},
               {"model",
                {{"type", "BPE"},
                 {"end_of_word_suffix", "</w>"},
                 {"vocab", Json::parse(read_file(folder / "vocab.json"))},
                 {"merges", Json::array()}}}};
  std::istringstream lines(read_file(folder / "merges.txt"));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) json["model"]["merges"].push_back(line);
  fs::remove(folder / "vocab.json");
  write("tokenizer.json", json.dump());
  expect_equal(ClipTokenizer(folder), "none");
  json["model"]["end_of_word_suffix"] = nullptr;
  write("tokenizer.json", json.dump());
  EXPECT_ERROR(ClipTokenizer{folder}, DataError, "tokenizer.json");
  json["model"]["end_of_word_suffix"] = "";
  write("tokenizer.json", json.dump());
  EXPECT_ERROR(ClipTokenizer{folder}, DataError, "tokenizer.json",
               "does not describe CLIP's byte-pair encoding");
}

TEST_F(ClipTokenizerTest, CountsWhatDoesNotFit) {
  const ClipTokenizer tokenizer(folder);
  std::string prompt;
  for (int i = 0; i < 80; ++i) prompt += "! ";
  EXPECT_EQ(tokenizer.encode(prompt).dropped, 5);
  EXPECT_EQ(tokenizer.encode("!").dropped, 0);
  EXPECT_EQ(tokenizer.encode_all({"a", prompt}).sizes(),
            (at::IntArrayRef{2, 77}));
}

TEST_F(ClipTokenizerTest, SurvivesLongWords) {
  const ClipTokenizer tokenizer(folder);
  EXPECT_GT(tokenizer.tokenize(std::string(1 << 20, 'a')).size(), 100u);
  EXPECT_EQ(tokenizer.tokenize(std::string(1 << 20, '<')).size() > 0, true);
}

TEST_F(ClipTokenizerTest, RefusesTextThatIsNotUtf8) {
  const ClipTokenizer tokenizer(folder);
  for (const char* bad : {"ab\xff", "ab\xc3", "ab\xc0\x80", "ab\xed\xa0\x80",
                          "ab\xf5\x80\x80\x80", "ab\x80", "ab\xe0\x80\x80"}) {
    EXPECT_ERROR(tokenizer.tokenize(bad), DataError,
                 "prompt: not UTF-8 at byte 2");
  }
}

TEST_F(ClipTokenizerTest, RefusesFilesThatDoNotBelongTogether) {
  Json vocabulary = Json::parse(read_file(folder / "vocab.json"));
  const auto refuses = [&](const Json& changed, const std::string& because) {
    write("vocab.json", changed.dump());
    EXPECT_ERROR(ClipTokenizer{folder}, DataError, "vocab.json", because);
  };
  Json changed = vocabulary;
  changed.erase("an");
  refuses(changed, "the vocabulary lacks \"an\", which merge");
  changed = vocabulary;
  changed.erase("a</w>");
  refuses(changed, "lacks \"a</w>\", which stands for a byte");
  changed = vocabulary;
  changed["a"] = vocabulary["b"];
  refuses(changed, "two tokens have the id");
  changed = vocabulary;
  changed["a"] = -1;
  refuses(changed, "the id of token \"a\" is no whole number");
  changed["a"] = 3'000'000'000;
  refuses(changed, "the id of token \"a\"");
  changed["a"] = "1";
  refuses(changed, "the id of token \"a\"");
  refuses(Json::array(), "not a JSON object");
  changed = vocabulary;
  changed.erase("<|endoftext|>");
  write("vocab.json", changed.dump());
  EXPECT_ERROR(ClipTokenizer{folder}, DataError,
               "lacks the special token \"<|endoftext|>\"");
}

TEST_F(ClipTokenizerTest, RefusesDamagedMerges) {
  const auto refuses = [&](const std::string& text,
                           const std::string& because) {
    write("merges.txt", text);
    EXPECT_ERROR(ClipTokenizer{folder}, DataError, "merges.txt", because);
  };
  refuses("", "holds no merges");
  refuses("#version: 0.2\n", "holds no merges");
  refuses("#version: 0.2\na b c\n", "merge 1 is not two symbols");
  refuses("#version: 0.2\nab\n", "merge 1 is not two symbols");
  refuses("a \n", "merge 1 is not two symbols");
  refuses("a \xff\n", "not UTF-8 at byte 2");
}

TEST_F(ClipTokenizerTest, RefusesSettingsItWouldNotFollow) {
  const auto refuses = [&](const char* json, const std::string& because) {
    write("tokenizer_config.json", json);
    EXPECT_ERROR(ClipTokenizer{folder}, DataError, because);
  };
  refuses(R"({"pad_token": "[PAD]"})", "lacks the special token \"[PAD]\"");
  refuses(R"({"pad_token": 3})", "pad_token");
  refuses(R"({"pad_token": {"content": "!", "lstrip": true}})", "has lstrip");
  refuses(R"({"model_max_length": 1})", "model_max_length is 1");
  refuses(R"({"model_max_length": "a"})", "model_max_length");
  refuses(R"({"additional_special_tokens": ["<new>"]})", "<new>");
  refuses(R"({"added_tokens_decoder": {"5": {"content": "<new>"}}})", "<new>");
  refuses("[]", "tokenizer_config.json: not a JSON object");
  fs::remove(folder / "tokenizer_config.json");
  write("added_tokens.json", R"({"<new>": 813})");
  EXPECT_ERROR(ClipTokenizer{folder}, DataError, "added_tokens.json");
}

TEST_F(ClipTokenizerTest, RefusesAFolderWithoutTokenizer) {
  fs::remove(folder / "merges.txt");
  EXPECT_ERROR(ClipTokenizer{folder}, DataError, folder.string(),
               "wanted vocab.json and merges.txt");
}

TEST(Unicode, ComposesAndOrdersMarks) {
  EXPECT_EQ(nfc(U"e\u0301"), U"\u00e9");
  EXPECT_EQ(nfc(U"a\u0301\u0323"), U"\u1ea1\u0301");
  EXPECT_EQ(nfc(U"\u1100\u1161\u11a8"), U"\uac01");
  EXPECT_EQ(nfc(U"\uac00\u11a8"), U"\uac01");
  EXPECT_EQ(nfc(U"\u212b\u0344"), U"\u00c5\u0308\u0301");
  EXPECT_EQ(nfc(U"\u0958"), U"\u0915\u093c");  // an exclusion
  EXPECT_EQ(nfc(U"\u0301a"), U"\u0301a");
}

}  // namespace
}  // namespace sono
