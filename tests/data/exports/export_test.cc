#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/safetensors_header.h"
#include "data/exports/export_writer.h"
#include "data/image_file.h"
#include "data/shards/tar.h"
#include "tests/data/shards/made_samples.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

ExportItem item(std::int64_t number, bool test = false) {
  const ShardSample made = made_sample(number);
  ExportItem item;
  item.sample.id = "../../$(reboot) '\"\n" + made.key;
  item.sample.exam = "e";
  item.sample.spacing_x_mm = 0.25;
  item.sample.image = made.image;
  item.sample.mask = made.mask;
  item.test = test;
  return item;
}

void write_five(const std::string& format, const fs::path& dir) {
  const auto writer = make_export_writer(format, 2, dir);
  for (int k = 0; k < 5; ++k) writer->add(item(k, k == 3));
  writer->finish();
}

bool same(const cv::Mat& a, const cv::Mat& b) {
  return a.size() == b.size() && cv::norm(a, b, cv::NORM_INF) == 0;
}

std::vector<nlohmann::json> lines_of(const fs::path& path) {
  std::ifstream file(path);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(nlohmann::json::parse(line));
  }
  return lines;
}

TEST(Export, ImageFolderHoldsPixelsAndMetadata) {
  const TemporaryFolder folder;
  const fs::path dir = folder.path() / "out";
  write_five("imagefolder", dir);
  const auto train = lines_of(dir / "train/metadata.jsonl");
  ASSERT_EQ(train.size(), 4u);
  EXPECT_EQ(lines_of(dir / "test/metadata.jsonl").size(), 1u);
  const int numbers[] = {0, 1, 2, 4};
  for (std::size_t k = 0; k < train.size(); ++k) {
    const ExportItem expected = item(numbers[k]);
    const fs::path image =
        dir / "train" / train[k].at("file_name").get<std::string>();
    const fs::path mask =
        dir / "train" / train[k].at("mask_file_name").get<std::string>();
    EXPECT_TRUE(same(read_image(image), expected.sample.image));
    EXPECT_TRUE(same(read_image(mask), expected.sample.mask));
    EXPECT_EQ(train[k].at("id"), expected.sample.id);
    EXPECT_EQ(train[k].at("spacing_x_mm"), 0.25);
    EXPECT_TRUE(train[k].at("hc_mm").is_null());
  }
}

TEST(Export, SafetensorsHoldBatches) {
  const TemporaryFolder folder;
  write_five("safetensors", folder.path() / "out");
  const fs::path path = folder.path() / "out/train-00001.safetensors";
  const SafetensorsHeader header = read_header(path);
  ASSERT_EQ(header.entries.size(), 2u);
  EXPECT_EQ(header.entries[0].name, "images");
  EXPECT_EQ(header.entries[1].shape, (std::vector<std::int64_t>{2, 11, 16}));
  const std::string bytes = read_file(path);
  const cv::Mat image = item(4).sample.image;  // the second of this batch
  EXPECT_EQ(bytes.substr(header.data_begin + 176, 176),
            std::string(reinterpret_cast<const char*>(image.data), 176));
  EXPECT_TRUE(fs::exists(folder.path() / "out/test-00000.safetensors"));
  auto writer = make_export_writer("safetensors", 4, folder.path() / "b");
  writer->add(item(0));
  ExportItem other = item(1);
  other.sample.image = other.sample.mask = cv::Mat::zeros(3, 3, CV_8UC1);
  EXPECT_THROW(writer->add(other), DataError);
  other.sample.mask = cv::Mat();
  EXPECT_THROW(writer->add(other), DataError);
}

TEST(Export, WebDatasetHoldsPlainTars) {
  const TemporaryFolder folder;
  write_five("webdataset", folder.path() / "out");
  const auto members = read_tar(folder.path() / "out/train-000001.tar");
  ASSERT_EQ(members.size(), 6u);
  EXPECT_EQ(members[0].name, "000002.image.png");
  EXPECT_EQ(members[5].name, "000003.json");
  EXPECT_TRUE(same(decode_image(members[3].bytes, "x"), item(4).sample.image));
  EXPECT_EQ(nlohmann::json::parse(members[5].bytes).at("id"),
            item(4).sample.id);
}

TEST(Export, AFolderInUseAndUnknownFormatsAreRefused) {
  const TemporaryFolder folder;
  EXPECT_THROW(make_export_writer("zip", 2, folder.path() / "a"), ConfigError);
  write_file_atomic(folder.path() / "mine.txt", "x");
  EXPECT_THROW(make_export_writer("webdataset", 2, folder.path()), ConfigError);
}

TEST(Export, FilesAndFoldersFollowTheUmask) {
  for (const mode_t mask : {mode_t{077}, mode_t{022}, mode_t{002}}) {
    const TemporaryFolder folder;
    const mode_t before = ::umask(mask);
    for (const auto& format : export_formats()) {
      write_five(format, folder.path() / format);
    }
    ::umask(before);
    int seen = 0;
    for (const auto& file : fs::recursive_directory_iterator(folder.path())) {
      const auto mode = static_cast<mode_t>(file.status().permissions());
      EXPECT_EQ(mode, (file.is_directory() ? 0777u : 0666u) & ~mask)
          << file.path();
      ++seen;
    }
    EXPECT_GT(seen, 15);
  }
}

}  // namespace
}  // namespace sono
