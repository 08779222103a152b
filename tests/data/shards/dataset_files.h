#pragma once
// A data set's folder as a whole, and damage to its files.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "data/shards/verify.h"

namespace sono {

inline std::set<std::string> names_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    names.insert(file.path().filename().string());
  }
  return names;
}

inline std::string all_bytes(const std::filesystem::path& folder) {
  std::string bytes;
  for (const auto& name : names_in(folder)) {
    bytes += name + read_file(folder / name);
  }
  return sha256_hex(bytes);
}

// The message of the DataError that verify_dataset must throw.
inline std::string verify_message(const std::filesystem::path& folder) {
  try {
    verify_dataset(folder);
  } catch (const DataError& error) {
    EXPECT_EQ(error.exit_code(), 3);
    return error.what();
  }
  ADD_FAILURE() << "verify found nothing wrong";
  return "";
}

inline void flip_bit(const std::filesystem::path& path, std::int64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(offset);
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(offset);
  file.put(byte);
}

}  // namespace sono
