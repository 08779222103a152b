#include "data/pack_cache.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

std::string key_of(int i) { return sha256_hex(std::to_string(i)); }
std::string value_of(int i) {
  return std::string(static_cast<std::size_t>(100 + i % 50),
                     static_cast<char>('a' + i % 26)) +
         std::to_string(i);
}

std::vector<fs::path> files_with(const fs::path& folder,
                                 const std::string& extension) {
  std::vector<fs::path> paths;
  for (const auto& file : fs::directory_iterator(folder)) {
    if (file.path().extension() == extension) paths.push_back(file.path());
  }
  return paths;
}

void put_range(const fs::path& folder, int first, int last) {
  PackCache cache(folder);
  for (int i = first; i < last; ++i) cache.put(key_of(i), value_of(i));
}

void flip_byte(const fs::path& path, std::int64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(offset);
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(offset);
  file.put(byte);
}

TEST(PackCache, ReturnsWhatWasPut) {
  const TemporaryFolder folder;
  PackCache cache(folder.path() / "new");
  EXPECT_FALSE(cache.get("absent"));
  cache.put("a", "alpha");
  cache.put("empty", "");
  cache.put("a", "ignored: the key is known");
  EXPECT_EQ(cache.get("a"), "alpha");
  EXPECT_EQ(cache.get("empty"), "");
  EXPECT_EQ(cache.size(), 2);
}

TEST(PackCache, LaterProcessFindsItInFewFiles) {
  const TemporaryFolder folder;
  for (int k = 0; k < 5; ++k) put_range(folder.path(), 10 * k, 10 * k + 10);
  PackCache cache(folder.path());
  for (int i = 0; i < 50; ++i) EXPECT_EQ(cache.get(key_of(i)), value_of(i));
  EXPECT_EQ(files_with(folder.path(), ".bin").size(), 1u);
  verify_pack_cache(folder.path());
}

TEST(PackCache, RefreshSeesOtherWriters) {
  const TemporaryFolder folder;
  PackCache reader(folder.path());
  PackCache writer(folder.path());
  writer.put("a", "alpha");
  writer.flush();
  EXPECT_FALSE(reader.get("a"));
  reader.refresh();
  reader.refresh();
  EXPECT_EQ(reader.get("a"), "alpha");
  writer.refresh();  // its own values are not counted twice
  EXPECT_EQ(writer.size(), 1);
}

TEST(PackCache, ConcurrentProcessesLoseNothing) {
  const TemporaryFolder folder;
  std::vector<pid_t> pids;
  for (int p = 0; p < 4; ++p) {
    pids.push_back(::fork());
    if (pids.back() == 0) {
      put_range(folder.path(), 100 * p, 100 * p + 150);  // overlapping
      ::_exit(0);
    }
  }
  for (const pid_t pid : pids) {
    int status = -1;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  }
  PackCache cache(folder.path());
  for (int i = 0; i < 450; ++i) EXPECT_EQ(cache.get(key_of(i)), value_of(i));
  EXPECT_LE(files_with(folder.path(), ".bin").size(), 4u);
  verify_pack_cache(folder.path());
}

TEST(PackCache, ThreadsShareOneCache) {
  const TemporaryFolder folder;
  PackCache cache(folder.path());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < 200; i += 4) {
        cache.put(key_of(i), value_of(i));
        EXPECT_EQ(cache.get(key_of(i)), value_of(i));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(cache.size(), 200);
}

TEST(PackCache, KilledWriterLosesOnlyTheUnflushed) {
  const TemporaryFolder folder;
  const pid_t pid = ::fork();
  if (pid == 0) {
    PackCache cache(folder.path());
    cache.put("a", "alpha");
    cache.flush();
    cache.put("b", "beta");
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(pid, nullptr, 0);
  PackCache cache(folder.path());
  EXPECT_EQ(cache.get("a"), "alpha");
  EXPECT_FALSE(cache.get("b"));
  cache.put("b", "beta");
  cache.flush();
  EXPECT_EQ(PackCache(folder.path()).get("b"), "beta");
  verify_pack_cache(folder.path());
}

TEST(PackCache, TornIndexTailIsCutOff) {
  const TemporaryFolder folder;
  put_range(folder.path(), 0, 3);
  const auto index = files_with(folder.path(), ".idx").at(0);
  fs::resize_file(index, fs::file_size(index) - 5);
  PackCache reader(folder.path());
  EXPECT_EQ(reader.size(), 2);
  put_range(folder.path(), 2, 4);
  reader.refresh();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(reader.get(key_of(i)), value_of(i));
  verify_pack_cache(folder.path());
}

TEST(PackCache, DamagedValueIsMadeAgain) {
  const TemporaryFolder folder;
  put_range(folder.path(), 0, 3);
  const auto values = files_with(folder.path(), ".bin").at(0);
  flip_byte(values, static_cast<std::int64_t>(value_of(0).size()) + 3);
  EXPECT_THROW(verify_pack_cache(folder.path()), DataError);
  {
    PackCache cache(folder.path());
    EXPECT_EQ(cache.get(key_of(0)), value_of(0));
    EXPECT_FALSE(cache.get(key_of(1)));
    cache.put(key_of(1), value_of(1));
  }
  EXPECT_EQ(PackCache(folder.path()).get(key_of(1)), value_of(1));
}

TEST(PackCache, DamagedIndexLineIsSkipped) {
  const TemporaryFolder folder;
  put_range(folder.path(), 0, 3);
  flip_byte(files_with(folder.path(), ".idx").at(0), 15);
  PackCache cache(folder.path());
  EXPECT_FALSE(cache.get(key_of(0)));
  EXPECT_EQ(cache.get(key_of(2)), value_of(2));
}

TEST(PackCache, DeletedPackCountsAsMissing) {
  const TemporaryFolder folder;
  put_range(folder.path(), 0, 3);
  PackCache cache(folder.path());
  fs::remove(files_with(folder.path(), ".bin").at(0));
  EXPECT_FALSE(cache.get(key_of(0)));
}

TEST(PackCache, SizeBoundDropsTheOldest) {
  const TemporaryFolder folder;
  const PackCacheConfig config{.max_mib = 3, .pack_mib = 1};
  const std::string value(300 * 1024, 'v');
  {
    PackCache cache(folder.path(), config);
    for (int i = 0; i < 40; ++i) cache.put(key_of(i), value);
  }
  std::uintmax_t total_bytes = 0;
  for (const auto& path : files_with(folder.path(), ".bin")) {
    total_bytes += fs::file_size(path);
  }
  EXPECT_LE(total_bytes, 5u << 20);
  PackCache cache(folder.path(), config);
  EXPECT_FALSE(cache.get(key_of(0)));
  EXPECT_EQ(cache.get(key_of(39)), value);
}

TEST(PackCache, BadKeysAndConfigsAreRefused) {
  const TemporaryFolder folder;
  PackCache cache(folder.path());
  EXPECT_THROW(cache.put("", "x"), Error);
  EXPECT_THROW(cache.put("two words", "x"), Error);
  EXPECT_THROW(cache.put("line\nbreak", "x"), Error);
  EXPECT_THROW(PackCache(folder.path(), {.max_mib = -1}), ConfigError);
}

}  // namespace
}  // namespace sono
