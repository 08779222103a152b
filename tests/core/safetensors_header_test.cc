#include "core/safetensors_header.h"

#include <gtest/gtest.h>

#include "core/atomic_file.h"
#include "core/error.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

SafetensorsHeader two_tensors() {
  SafetensorsHeader header;
  header.entries = {{"b.weight", "F32", {2, 3}}, {"a.bias", "I64", {}}};
  header.metadata = {{"step", "7"}};
  assign_offsets(header.entries);
  return header;
}

// A file's start: the length word of `json`, then `json`.
std::string start_of(const std::string& json) {
  std::string out(8, '\0');
  for (int i = 0; i < 8; ++i) {
    out[i] = static_cast<char>(std::uint64_t{json.size()} >> (8 * i));
  }
  return out + json;
}

// Parses `json` as the header of a file that holds `data_bytes` of data.
SafetensorsHeader parse(const std::string& json, std::uint64_t data_bytes) {
  const std::string start = start_of(json);
  return parse_header(start, start.size() + data_bytes, "weights.st");
}

std::string one_tensor(const std::string& dtype, const std::string& shape,
                       const std::string& offsets) {
  return R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape +
         R"(,"data_offsets":)" + offsets + "}}";
}

TEST(SafetensorsHeader, RoundTrip) {
  const SafetensorsHeader header = two_tensors();
  const std::string start = serialize_header(header, 4096);
  EXPECT_EQ(start.size() % 4096, 0u);
  const auto parsed = parse_header(start, start.size() + 32, "weights.st");
  ASSERT_EQ(parsed.entries.size(), 2u);
  EXPECT_EQ(parsed.data_begin, start.size());
  EXPECT_EQ(parsed.metadata, header.metadata);
  EXPECT_EQ(parsed.entries[0].name, "a.bias");
  EXPECT_EQ(parsed.entries[0].dtype, "I64");
  EXPECT_TRUE(parsed.entries[0].shape.empty());
  EXPECT_EQ(parsed.entries[1].name, "b.weight");
  EXPECT_EQ(parsed.entries[1].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(parsed.entries[1].begin, 8u);
  EXPECT_EQ(parsed.entries[1].end, 32u);
}

TEST(SafetensorsHeader, TheBytesDoNotDependOnTheOrderOfEntries) {
  SafetensorsHeader other = two_tensors();
  std::swap(other.entries[0], other.entries[1]);
  EXPECT_EQ(serialize_header(two_tensors()), serialize_header(other));
}

TEST(SafetensorsHeader, AcceptsEmptyFilesAndEmptyTensors) {
  EXPECT_TRUE(parse("{}", 0).entries.empty());
  EXPECT_EQ(parse(one_tensor("F32", "[0,3]", "[0,0]"), 0).entries.size(), 1u);
}

TEST(SafetensorsHeader, RefusesABadStart) {
  EXPECT_ERROR(parse_header("1234567", 7, "weights.st"), DataError,
               "weights.st", "shorter than 8 bytes");
  const std::string huge(8, '\xff');
  EXPECT_ERROR(parse_header(huge, 8, "weights.st"), DataError, "weights.st");
  EXPECT_ERROR(parse_header(start_of("{}"), 9, "weights.st"), DataError,
               "header of 2 bytes in a file of 9");
}

TEST(SafetensorsHeader, ReadsTheHeaderOfAFile) {
  const auto path =
      temporary_name(std::filesystem::temp_directory_path() / "weights.st");
  const auto read = [&path](const std::string& bytes) {
    write_file_atomic(path, bytes);
    return read_header(path);
  };
  const std::string whole =
      serialize_header(two_tensors()) + std::string(32, 0);
  EXPECT_EQ(read(whole).entries.size(), 2u);
  EXPECT_ERROR(read(whole.substr(0, 4)), DataError, "weights.st");
  EXPECT_ERROR(read(whole.substr(0, 100)), DataError, "weights.st");
  EXPECT_ERROR(read(whole.substr(0, whole.size() - 1)), DataError,
               "weights.st");
  EXPECT_ERROR(read(std::string(64, '\xff')), DataError, "weights.st");
  std::filesystem::remove(path);
  EXPECT_ERROR(read_header(path), DataError, "weights.st", "cannot be read");
}

TEST(SafetensorsHeader, RefusesBadJson) {
  for (const char* json :
       {"", "{", "[]", "1", R"({"w":1})", R"({"w":{}})", R"({"w":null})",
        R"({"__metadata__":1})", R"({"__metadata__":{"a":1}})"}) {
    EXPECT_ERROR(parse(json, 0), DataError, "weights.st");
  }
}

TEST(SafetensorsHeader, RefusesBadEntries) {
  const struct {
    const char *dtype, *shape, *offsets;
  } kBad[] = {
      {"F33", "[1]", "[0,4]"},      // unknown dtype
      {"F32", "[-1]", "[0,4]"},     // negative dimension
      {"F32", "[1]", "[0]"},        // one offset
      {"F32", "[1]", "[0,4,8]"},    // three offsets
      {"F32", "[1]", "[4,0]"},      // ends before it begins
      {"F32", "[2]", "[0,4]"},      // size disagrees with the shape
      {"F32", "[\"1\"]", "[0,4]"},  // text for a number
      {"F32", "[1]", "[-4,0]"},     // negative offset
      {"F32", "[4611686018427387905]", "[0,4]"},    // overflows to 4 bytes
      {"F32", "[4294967296,4294967296]", "[0,4]"},  // overflows to 0 bytes
  };
  for (const auto& bad : kBad) {
    EXPECT_ERROR(parse(one_tensor(bad.dtype, bad.shape, bad.offsets), 4),
                 DataError, "weights.st");
  }
}

TEST(SafetensorsHeader, RefusesGapsOverlapsAndTrailingBytes) {
  const auto pair = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + first +
           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}";
  };
  EXPECT_NO_THROW(parse(pair("[0,4]", "[4,8]"), 8));
  EXPECT_NO_THROW(parse(pair("[4,8]", "[0,4]"), 8));
  EXPECT_ERROR(parse(pair("[0,4]", "[5,9]"), 9), DataError, "b", "gap");
  EXPECT_ERROR(parse(pair("[0,4]", "[3,7]"), 7), DataError, "overlaps");
  EXPECT_ERROR(parse(pair("[0,4]", "[0,4]"), 4), DataError, "overlaps");
  EXPECT_ERROR(parse(pair("[1,5]", "[5,9]"), 9), DataError, "gap");
  EXPECT_ERROR(parse(pair("[0,4]", "[4,8]"), 9), DataError, "holds 9");
  EXPECT_ERROR(parse(pair("[0,4]", "[4,8]"), 7), DataError, "holds 7");
}

}  // namespace
}  // namespace sono
