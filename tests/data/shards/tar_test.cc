#include "data/shards/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

std::string two_members() {
  TarWriter tar;
  tar.add("000000.image.png", "not really a png");
  tar.add("000000.json", "{}");
  return tar.finish();
}

// A tar made without our checks.
void write_foreign(const std::filesystem::path& path, const std::string& name,
                   unsigned type) {
  archive* tar = archive_write_new();
  archive_write_set_format_ustar(tar);
  archive_write_open_filename(tar, path.c_str());
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, name.c_str());
  archive_entry_set_filetype(entry, type);
  archive_entry_set_perm(entry, 0644);
  if (type == AE_IFLNK) archive_entry_set_symlink(entry, "/etc/passwd");
  if (type == AE_IFREG) archive_entry_set_size(entry, 2);
  archive_write_header(tar, entry);
  if (type == AE_IFREG) archive_write_data(tar, "hi", 2);
  archive_entry_free(entry);
  archive_write_close(tar);
  archive_write_free(tar);
}

TEST(Tar, BytesDependOnMembersAlone) {
  EXPECT_EQ(sha256_hex(two_members()), sha256_hex(two_members()));
  // Fixed for ever: a change here would change every published shard.
  EXPECT_EQ(sha256_hex(two_members()),
            "718cca747f5783d8d2df934b03874297bc6b365490227c0d16658f08e14656fe");
}

TEST(Tar, OffsetsPointAtTheData) {
  TarWriter tar;
  const auto first = tar.add("a.txt", "alpha");
  const auto empty = tar.add("b.txt", "");
  const auto last = tar.add("c.txt", std::string(1000, 'c'));
  const std::string bytes = tar.finish();
  EXPECT_EQ(first, 512);
  EXPECT_EQ(bytes.substr(static_cast<std::size_t>(first), 5), "alpha");
  EXPECT_EQ(empty, 512 * 3);
  EXPECT_EQ(bytes.substr(static_cast<std::size_t>(last), 1000),
            std::string(1000, 'c'));
}

TEST(Tar, RoundTrip) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.tar";
  write_file_atomic(path, two_members());
  const auto members = read_tar(path);
  ASSERT_EQ(members.size(), 2u);
  EXPECT_EQ(members[0].name, "000000.image.png");
  EXPECT_EQ(members[0].bytes, "not really a png");
  EXPECT_EQ(members[1].bytes, "{}");
}

TEST(Tar, SystemTarReadsIt) {
  if (std::system("tar --version > /dev/null 2>&1") != 0) {
    GTEST_SKIP() << "no tar program here";
  }
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.tar";
  const auto listing = folder.path() / "listing";
  write_file_atomic(path, two_members());
  const std::string command = "TZ=UTC tar --numeric-owner -tvf " +
                              path.string() + " > " + listing.string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  const std::string text = read_file(listing);
  EXPECT_NE(text.find("-rw-r--r-- 0/0"), std::string::npos) << text;
  EXPECT_NE(text.find("1970-01-01 00:00 000000.image.png"), std::string::npos)
      << text;
}

TEST(Tar, HostileNamesAreRefused) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "hostile.tar";
  for (const std::string name : {"../evil", "/etc/evil", "a/../../evil", "a//b",
                                 "./a", "a\\b", "a\nb"}) {
    write_foreign(path, name, AE_IFREG);
    EXPECT_THROW(read_tar(path), DataError) << name;
  }
  write_foreign(path, "fine/name", AE_IFREG);
  EXPECT_EQ(read_tar(path).size(), 1u);
}

TEST(Tar, LinksAndDevicesAreRefused) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "hostile.tar";
  for (const unsigned type : {AE_IFLNK, AE_IFIFO, AE_IFCHR}) {
    write_foreign(path, "name", type);
    EXPECT_THROW(read_tar(path), DataError) << type;
  }
}

TEST(Tar, HugeMemberIsRefusedBeforeAllocation) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.tar";
  write_file_atomic(path, two_members());
  EXPECT_THROW(read_tar(path, 4), DataError);
}

TEST(Tar, TruncatedFileIsNamed) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "short.tar";
  const std::string whole = two_members();
  for (const std::size_t size : {100u, 515u, 1100u}) {
    write_file_atomic(path, whole.substr(0, size));
    try {
      read_tar(path);
      FAIL() << "read " << size << " bytes of a tar without an error";
    } catch (const DataError& error) {
      EXPECT_NE(std::string(error.what()).find("short.tar"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace sono
