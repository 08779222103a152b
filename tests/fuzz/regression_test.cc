// The fuzzers' targets without libFuzzer: on every input that once was a fault
// (tests/fuzz/regressions/TARGET/*) and on damaged copies of sound files.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "core/atomic_file.h"
#include "core/random.h"
#include "data/image_file.h"
#include "data/shards/tar.h"
#include "models/io/safetensors.h"
#include "tests/fuzz/targets.h"
#include "tests/models/io/zip_writer.h"

namespace sono {
namespace {

namespace fs = std::filesystem;
using Target = int (*)(const std::uint8_t*, std::size_t);

int run(Target target, const std::string& bytes) {
  return target(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                bytes.size());
}

// Bytes changed, cut out or repeated; the same for the same trial.
std::string damaged(std::string bytes, std::uint64_t trial) {
  Random random(make_key("test.fuzz", 1, trial));
  for (std::uint64_t i = 0; i <= random.below(4) && !bytes.empty(); ++i) {
    const std::size_t at = random.below(bytes.size());
    const std::size_t count = 1 + random.below(8);
    switch (random.below(4)) {
      case 0:
        bytes.erase(at, count);
        break;
      case 1:
        bytes.insert(at, bytes.substr(at, count));
        break;
      case 2:
        bytes[at] = "0123456789-\"{}[],:."[random.below(19)];
        break;
      default:
        bytes[at] = static_cast<char>(random.below(256));
    }
  }
  return bytes;
}

void expect_survives(const std::string& name, Target target,
                     const std::vector<std::string>& seeds, int trials) {
  const fs::path folder =
      fs::path(SONO_SOURCE_DIR) / "tests/fuzz/regressions" / name;
  std::error_code none_yet;
  for (const auto& entry : fs::directory_iterator(folder, none_yet)) {
    EXPECT_NO_THROW(run(target, read_file(entry.path()))) << entry.path();
  }
  for (const std::string& seed : seeds) {
    EXPECT_NO_THROW(run(target, seed));
    for (int trial = 0; trial < trials; ++trial) {
      EXPECT_NO_THROW(run(target, damaged(seed, trial))) << "trial " << trial;
    }
  }
}

std::string safetensors_bytes() {
  const fs::path path =
      fs::path(::testing::TempDir()) / "fuzz_seed.safetensors";
  save_safetensors(path,
                   {{"a", at::ones({2, 3})}, {"b", at::ones({}, at::kLong)}},
                   {{"format", "pt"}});
  return read_file(path);
}

const std::string kConfig =
    R"({"_class_name": "UNet2DModel", "channels": 4, "eps": 1e-5, "flag": true,
        "heads": [5, 10, 20], "act": "silu", "blocks": ["A", "B"],
        "betas": [0.1, 0.2], "classes": null, "scale": 1})";

TEST(Fuzz, Safetensors) {
  expect_survives("safetensors", fuzz::fuzz_safetensors, {safetensors_bytes()},
                  2000);
}

TEST(Fuzz, Index) {
  expect_survives("index", fuzz::fuzz_index,
                  {R"({"metadata": {}, "weight_map": {"a": "1.safetensors"}})"},
                  500);
}

TEST(Fuzz, CheckpointAndPickle) {
  using namespace sono::testing;  // NOLINT: builders of this test
  const std::string pickle = dict_with(tensor(2, 0, {2}, {1}));
  expect_survives("pickle", fuzz::fuzz_pickle, {pickle}, 5000);
  expect_survives(
      "checkpoint", fuzz::fuzz_checkpoint,
      {zip_bytes({{"x/data.pkl", pickle}, {"x/data/0", std::string(8, '\0')}})},
      2000);
}

TEST(Fuzz, Config) {
  expect_survives("config", fuzz::fuzz_config, {kConfig}, 5000);
}

TEST(Fuzz, Tokenizer) {
  const fs::path folder =
      fs::path(SONO_SOURCE_DIR) / "tests/parity/fixtures/clip_tokenizer";
  const std::string settings =
      R"({"pad_token": "!", "eos_token": {"content": "<|endoftext|>",
          "normalized": true}, "model_max_length": 77})";
  expect_survives("tokenizer", fuzz::fuzz_tokenizer,
                  {std::string(1, '\0') + read_file(folder / "vocab.json"),
                   "\x01" + read_file(folder / "merges.txt"), "\x02" + settings,
                   "\x03{\"model\": {}}", "\x04" + settings,
                   "\x05 caf\xc3\xa9 \xf0\x9f\x91\x8d <|endoftext|>"},
                  150);
}

std::string clinical(const std::string& name) {
  return read_file(fs::path(SONO_SOURCE_DIR) /
                   "tests/parity/fixtures/clinical" / name);
}

TEST(Fuzz, ImagesOfEveryFormat) {
  cv::Mat image(11, 16, CV_8UC1);
  cv::randu(image, 0, 256);
  const auto png = encode_png(image);
  expect_survives(
      "image", fuzz::fuzz_image,
      {std::string(png.begin(), png.end()),
       read_file(fs::path(SONO_SOURCE_DIR) / "tests/data/cohort/grey.jpg")},
      1000);
  expect_survives("dicom", fuzz::fuzz_dicom,
                  {clinical("implicit.dcm"), clinical("inverted.dcm"),
                   clinical("rgb.dcm"), clinical("rle.dcm")},
                  300);
  expect_survives("nifti", fuzz::fuzz_nifti,
                  {clinical("big_endian.nii"), clinical("floats.nii")}, 500);
}

TEST(Fuzz, ArchivesAndTables) {
  TarWriter tar;
  tar.add("000000.json", "{}");
  tar.add("000001.json", std::string(700, 'x'));
  expect_survives("tar", fuzz::fuzz_tar, {tar.finish()}, 1000);
  expect_survives("csv", fuzz::fuzz_csv, {"a,\"b,\"\"c\"\r\n1,2\n"}, 2000);
}

}  // namespace
}  // namespace sono
