#include "models/io/safetensors.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/atomic_file.h"
#include "core/error.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

std::filesystem::path file_in_temp(const std::string& name) {
  return std::filesystem::path(::testing::TempDir()) / name;
}

void write_raw(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

StateDict some_tensors() {
  return {{"b.weight", at::arange(12, at::kFloat).view({3, 4})},
          {"a.steps", at::tensor({7}, at::kLong).view({})},
          {"empty", at::empty({0, 5})},
          {"half", at::ones({3}, at::kHalf)},
          {"c.strided", at::arange(6, at::kFloat).view({2, 3}).t()}};
}

TEST(Safetensors, GivesBackWhatWasSaved) {
  const auto path = file_in_temp("round.safetensors");
  const StateDict saved = some_tensors();
  save_safetensors(path, saved, {{"format", "pt"}});
  const StateDict loaded = load_safetensors(path);
  ASSERT_EQ(loaded.size(), saved.size());
  for (const auto& [name, tensor] : saved) {
    ASSERT_TRUE(loaded.count(name)) << name;
    EXPECT_EQ(loaded.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(loaded.at(name), tensor)) << name;
    EXPECT_TRUE(loaded.at(name).is_contiguous()) << name;
  }
}

TEST(Safetensors, EqualTensorsGiveEqualBytes) {
  save_safetensors(file_in_temp("one.safetensors"), some_tensors());
  save_safetensors(file_in_temp("two.safetensors"), some_tensors());
  EXPECT_EQ(read_file(file_in_temp("one.safetensors")),
            read_file(file_in_temp("two.safetensors")));
}

TEST(Safetensors, RefusesMissingAndTruncatedFiles) {
  EXPECT_ERROR(load_safetensors(file_in_temp("absent.safetensors")), DataError,
               "absent.safetensors");
  const auto path = file_in_temp("cut.safetensors");
  save_safetensors(path, some_tensors());
  const std::string whole = read_file(path);
  for (std::size_t length = 0; length < whole.size(); length += 37) {
    write_raw(path, whole.substr(0, length));
    EXPECT_ERROR(load_safetensors(path), DataError, "cut.safetensors");
  }
}

TEST(Safetensors, MapsWhatWasSaved) {
  const auto path = file_in_temp("mapped.safetensors");
  const StateDict saved = some_tensors();
  save_safetensors(path, saved);
  const StateDict mapped = map_safetensors(path);
  ASSERT_EQ(mapped.size(), saved.size());
  for (const auto& [name, tensor] : saved) {
    EXPECT_EQ(mapped.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(mapped.at(name), tensor)) << name;
  }
}

TEST(Safetensors, WritesToMappedTensorsLeaveTheFileAlone) {
  const auto path = file_in_temp("private.safetensors");
  save_safetensors(path, some_tensors());
  const std::string before = read_file(path);
  at::Tensor kept = map_safetensors(path).at("b.weight");
  kept.fill_(3);  // the only tensor that is left keeps the mapping
  EXPECT_EQ(read_file(path), before);
  EXPECT_EQ(kept.sum().item<float>(), 36);
  std::filesystem::remove(path);
  EXPECT_EQ(kept.sum().item<float>(), 36);
}

TEST(Safetensors, CopiesTensorsThatAreNotAligned) {
  const auto path = file_in_temp("odd.safetensors");
  const std::string values("\x07\0\0\x80\x3f\0\0\0\x40", 9);
  const std::string json =
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
      R"("b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})";
  std::string length(8, '\0');
  length[0] = static_cast<char>(json.size());
  write_raw(path, length + json + values);
  const StateDict mapped = map_safetensors(path);
  EXPECT_EQ(mapped.at("a").item<int>(), 7);
  EXPECT_TRUE(at::equal(mapped.at("b"), at::tensor({1.f, 2.f})));
}

TEST(Safetensors, MappingRefusesDamagedFiles) {
  EXPECT_ERROR(map_safetensors(file_in_temp("absent.safetensors")), DataError,
               "absent.safetensors");
  EXPECT_ERROR(map_safetensors(file_in_temp("")), DataError, "regular file");
  const auto path = file_in_temp("cut.safetensors");
  write_raw(path, "");
  EXPECT_ERROR(map_safetensors(path), DataError, "cut.safetensors: empty");
  save_safetensors(path, some_tensors());
  const std::string whole = read_file(path);
  for (std::size_t length = 0; length < whole.size(); length += 37) {
    write_raw(path, whole.substr(0, length));
    EXPECT_ERROR(map_safetensors(path), DataError, "cut.safetensors");
  }
}

TEST(Safetensors, RefusesToWriteWhereItCannot) {
  EXPECT_ERROR(save_safetensors("/nonexistent/x.safetensors", some_tensors()),
               DataError, "x.safetensors");
}

}  // namespace
}  // namespace sono
