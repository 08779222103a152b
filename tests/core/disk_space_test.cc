// Room on a disk, asked at folders that are there or not yet.

#include "core/disk_space.h"

#include <gtest/gtest.h>

#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

TEST(DiskSpaceTest, AFolderToBeHasTheRoomOfItsParent) {
  const TemporaryFolder folder;
  const DiskSpace here = disk_space(folder.path());
  const DiskSpace below = disk_space(folder.path() / "not" / "yet");
  EXPECT_GT(here.total_bytes, 0);
  EXPECT_GE(here.total_bytes, here.free_bytes);
  EXPECT_GT(here.free_files, 0);
  EXPECT_EQ(here.total_bytes, below.total_bytes);
  EXPECT_EQ(here.type, below.type);
  EXPECT_FALSE(here.type.empty());
  EXPECT_EQ(disk_space("/proc/self").type, "proc");
}

TEST(DiskSpaceTest, BytesAreReadable) {
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1500), "1.5 kB");
  EXPECT_EQ(bytes_text(2.5e12), "2.5 TB");
}

}  // namespace
}  // namespace sono
