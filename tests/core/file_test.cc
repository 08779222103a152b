#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/json_lines.h"
#include "core/log.h"
#include "core/progress.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "sono.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::size_t num_files() const {
    return static_cast<std::size_t>(std::distance(
        fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(FileTest, AWrittenFileReadsBack) {
  const std::string bytes("a\0b\n", 4);
  write_file_atomic(folder_ / "x", "before");
  write_file_atomic(folder_ / "x", bytes);
  EXPECT_EQ(read_file(folder_ / "x"), bytes);
  EXPECT_EQ(num_files(), 1u) << "a temporary file was left";
}

TEST_F(FileTest, MissingFilesAndFoldersAreNamed) {
  EXPECT_ERROR(read_file(folder_ / "none"), DataError, "none");
  EXPECT_ERROR(write_file_atomic(folder_ / "no" / "x", "1"), DataError, "no/x");
  write_file_atomic(folder_ / "x", "1");
  EXPECT_ERROR(make_directories(folder_ / "x" / "y"), Error, "x/y");
}

TEST_F(FileTest, TemporaryNamesDifferAndStayInTheFolder) {
  const auto a = temporary_name(folder_ / "x"),
             b = temporary_name(folder_ / "x");
  EXPECT_NE(a, b);
  EXPECT_EQ(a.parent_path(), folder_);
}

// A 64 kB tmpfs, for as long as this lives.
class SmallDisk {
 public:
  explicit SmallDisk(fs::path at) : at_(std::move(at)) {
    fs::create_directory(at_);
    mounted_ = ::mount("tmpfs", at_.c_str(), "tmpfs", 0, "size=64k") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount(at_.c_str());
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }

 private:
  fs::path at_;
  bool mounted_ = false;
};

TEST_F(FileTest, AFullDiskLeavesTheOldContent) {
  const fs::path disk_folder = folder_ / "disk";
  SmallDisk disk(disk_folder);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs needs root";
  write_file_atomic(disk_folder / "x", "old");
  EXPECT_ERROR(write_file_atomic(disk_folder / "x", std::string(1 << 20, 'n')),
               ResourceError, "disk/x", "free some space");
  EXPECT_EQ(read_file(disk_folder / "x"), "old");
  write_file_atomic(disk_folder / "x", "new");  // nothing was left behind
  EXPECT_EQ(read_file(disk_folder / "x"), "new");
}

TEST_F(FileTest, AFullDiskStopsTheLog) {
  const fs::path disk_folder = folder_ / "disk";
  SmallDisk disk(disk_folder);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs needs root";
  JsonLines log(disk_folder / "log.jsonl");
  const std::string text(9000, 'x');
  EXPECT_ERROR(for (int i = 0; i < 10; ++i) log.append({{"text", text}}),
               ResourceError, "log.jsonl");
}

TEST_F(FileTest, JsonLinesAppendWholeLines) {
  JsonLines log(folder_ / "log.jsonl");
  log.append({{"step", 1}, {"text", "two\nlines"}});
  log.append({{"step", 2}});
  std::istringstream lines(read_file(folder_ / "log.jsonl"));
  int step = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json.at("step"), ++step);
    EXPECT_GT(json.at("time").get<double>(), 1e9);
  }
  EXPECT_EQ(step, 2);
}

TEST_F(FileTest, JsonLinesWithoutAPathWriteNothing) {
  JsonLines("").append({{"step", 1}});
  EXPECT_EQ(num_files(), 0u);
}

// Values of FIPS 180-2 and of the CRC catalogue ("check" of CRC-32/ISO-HDLC).
TEST(Hash, KnownAnswers) {
  EXPECT_EQ(sha256_hex(""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(crc32("123456789", 9), 0xcbf43926u);
  EXPECT_EQ(crc32("6789", 4, crc32("12345", 5)), 0xcbf43926u);
}

TEST_F(FileTest, PiecesAndFilesHashLikeTheWhole) {
  const std::string bytes(3 << 20, 'a');
  Sha256 pieces;
  pieces.update(std::string_view(bytes).substr(0, 1000));
  pieces.update(std::string_view(bytes).substr(1000));
  const std::string whole = sha256_hex(bytes);
  EXPECT_EQ(pieces.hex(), whole);
  write_file_atomic(folder_ / "x", bytes);
  EXPECT_EQ(sha256_file(folder_ / "x"), whole);
  EXPECT_ERROR(sha256_file(folder_ / "none"), DataError, "none");
}

TEST(Progress, DurationsReadWell) {
  EXPECT_EQ(duration_text(41.6), "42 s");
  EXPECT_EQ(duration_text(185), "3 min 05 s");
  EXPECT_EQ(duration_text(59.9), "1 min 00 s");
  EXPECT_EQ(duration_text(2 * 3600 + 600), "2 h 10 min");
}

TEST(Progress, PrintsCountUnitAndNote) {
  if (on_terminal()) GTEST_SKIP() << "draws a bar on a terminal";
  configure_log("info", 0);
  ::testing::internal::CaptureStderr();
  {
    Progress progress("sampling", 4, "images");
    progress.update(0);
    progress.update(2);  // within the interval: no line
    progress.finish("loss 0.5");
    Progress silent("other", 4, "images", false);
    silent.finish();
  }
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("sampling:   0% 0/4 images"), std::string::npos) << text;
  EXPECT_NE(text.find("sampling: 100% 4/4 images"), std::string::npos) << text;
  EXPECT_NE(text.find("loss 0.5"), std::string::npos) << text;
  EXPECT_EQ(text.find("2/4"), std::string::npos) << text;
  EXPECT_EQ(text.find("other"), std::string::npos) << text;
}

TEST(Log, OnlyRankZeroSpeaksBelowWarning) {
  ::testing::internal::CaptureStderr();
  configure_log("info", 3);
  spdlog::info("hidden");
  spdlog::warn("shown");
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find("hidden"), std::string::npos) << text;
  EXPECT_NE(text.find("[rank 3] shown"), std::string::npos) << text;
  EXPECT_ERROR(configure_log("loud", 0), ConfigError, "'loud'");
}

}  // namespace
}  // namespace sono
