// Inputs on a node's own disk: copied once, anew when they change.

#include "experiments/node_copy.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <set>
#include <thread>

#include "core/atomic_file.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

class NodeCopyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TMPDIR", node_.path().c_str(), 1);
    fs::create_directories(shared_.path() / "model" / "unet");
    std::ofstream(shared_.path() / "model" / "unet" / "w") << "weights";
  }
  void TearDown() override { ::unsetenv("TMPDIR"); }
  fs::path model() const { return shared_.path() / "model"; }

  TemporaryFolder shared_, node_;
};

TEST_F(NodeCopyTest, ManyProcessesShareOneCopy) {
  std::set<fs::path> copies;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const fs::path copy = node_copy(model());
      const std::lock_guard lock(mutex);
      copies.insert(copy);
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(read_file(*copies.begin() / "unet" / "w"), "weights");
  EXPECT_TRUE(copies.begin()->string().starts_with(node_.path().string()));
}

TEST_F(NodeCopyTest, ChangedContentIsCopiedAnew) {
  const fs::path before = node_copy(model());
  std::ofstream(model() / "unet" / "w") << "other weights";
  const fs::path after = node_copy(model());
  EXPECT_NE(before, after);
  EXPECT_EQ(read_file(after / "unet" / "w"), "other weights");
  EXPECT_EQ(read_file(before / "unet" / "w"), "weights");
}

TEST_F(NodeCopyTest, OnlyWhatIsAskedForIsCopied) {
  PlaceConfig place;
  EXPECT_EQ(staged_weights(place, model()), model());
  place.stage_weights = true;
  EXPECT_EQ(staged_weights(place, ""), "");
  EXPECT_EQ(read_file(staged_weights(place, model() / "unet" / "w")),
            "weights");
}

}  // namespace
}  // namespace sono
