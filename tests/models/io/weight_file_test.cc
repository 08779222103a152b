#include "models/io/weight_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "models/io/safetensors.h"
#include "tests/core/expect_error.h"
#include "tests/models/io/zip_writer.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

class WeightFile : public ::testing::Test {
 protected:
  WeightFile() {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  ~WeightFile() override { fs::remove_all(folder); }

  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder / name, std::ios::binary) << bytes;
    return folder / name;
  }
  fs::path write_index(const std::string& weight_map) const {
    return write(
        "model.safetensors.index.json",
        R"({"metadata": {"total_size": 8}, "weight_map": )" + weight_map + "}");
  }

  fs::path folder = fs::path(::testing::TempDir()) / "weight_file_test";
};

TEST_F(WeightFile, TellsFormatsByTheirContent) {
  save_safetensors(folder / "weights", {{"w", at::ones({2})}});
  EXPECT_EQ(map_weights(folder / "weights").at("w").numel(), 2);
  const std::string ones("\0\0\x80\x3f\0\0\x80\x3f", 8);
  using namespace sono::testing;  // NOLINT: builders of this test
  write("weights.ckpt",
        zip_bytes({{"x/data.pkl", dict_with(tensor(2, 0, {2}, {1}))},
                   {"x/data/0", ones}}));
  const StateDict state = map_weights(folder / "weights.ckpt");
  EXPECT_EQ(state.at("weight").sum().item<float>(), 2);
}

TEST_F(WeightFile, JoinsShards) {
  save_safetensors(folder / "1.safetensors", {{"a", at::ones({1})}});
  save_safetensors(folder / "2.safetensors", {{"b", at::ones({2})}});
  const StateDict state = map_weights(
      write_index(R"({"a": "1.safetensors", "b": "2.safetensors"})"));
  EXPECT_EQ(state.size(), 2u);
  EXPECT_EQ(state.at("b").numel(), 2);
}

TEST_F(WeightFile, RefusesShardsThatDisagreeWithTheIndex) {
  save_safetensors(folder / "1.safetensors",
                   {{"a", at::ones({1})}, {"c", at::ones({1})}});
  save_safetensors(folder / "2.safetensors", {{"b", at::ones({2})}});
  EXPECT_ERROR(map_weights(write_index(
                   R"({"a": "1.safetensors", "b": "2.safetensors",
                       "d": "2.safetensors"})")),
               DataError, "model.safetensors.index.json: the shards do not fit",
               "not in the index: c of 1.safetensors",
               "not in 2.safetensors: d");
  // A tensor of another shard than the index says is not taken either.
  EXPECT_ERROR(map_weights(write_index(
                   R"({"a": "2.safetensors", "c": "1.safetensors"})")),
               DataError, "not in the index: a of 1.safetensors",
               "not in 2.safetensors: a");
  EXPECT_ERROR(map_weights(write_index(R"({"a": "3.safetensors"})")), DataError,
               "3.safetensors");
}

TEST_F(WeightFile, RefusesAnIndexThatLeadsElsewhere) {
  for (const char* name : {"../1.safetensors", "/etc/passwd", "..", ".", "",
                           "a/b.safetensors", "again.index.json"}) {
    EXPECT_ERROR(
        map_weights(write_index(R"({"a": ")" + std::string(name) + R"("})")),
        DataError, "wanted a file beside the index");
  }
}

TEST_F(WeightFile, RefusesAnIndexThatIsNone) {
  for (const char* map : {"{}", "[]", "3", R"({"a": 3})"}) {
    EXPECT_ERROR(map_weights(write_index(map)), DataError,
                 "not a usable index of weights");
  }
  EXPECT_ERROR(map_weights(write_index("{")), DataError, "not sound JSON");
  EXPECT_ERROR(map_weights(folder / "no.index.json"), DataError, "no.index");
}

TEST_F(WeightFile, TellsALargeFilePointer) {
  EXPECT_ERROR(map_weights(write("w.safetensors",
                                 "version https://git-lfs.github.com/spec/v1\n"
                                 "oid sha256:00\nsize 4265146304\n")),
               DataError, "w.safetensors: a Git LFS pointer", "git lfs pull");
}

}  // namespace
}  // namespace sono
