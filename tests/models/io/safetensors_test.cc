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

TEST(Safetensors, RefusesToWriteWhereItCannot) {
  EXPECT_ERROR(save_safetensors("/nonexistent/x.safetensors", some_tensors()),
               DataError, "x.safetensors");
}

}  // namespace
}  // namespace sono
