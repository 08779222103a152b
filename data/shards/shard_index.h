#pragma once
// The index of one shard: where each sample lies in the tar, its checksums and
// the gate's verdict. shard-000012.index is little-endian:
//
//   header   88 bytes  magic "sonoindx", u32 version, u32 CRC-32 of all bytes
//                      after these 16, i64 shard, i64 first sample, i64
//                      samples, i64 bytes of the tar, SHA-256 of the tar, i64
//                      bytes of kinds
//   samples  88 bytes  image, mask, json: i64 offset, i32 bytes, u32 CRC-32
//            each      each; SHA-256 of the sample; i32 verdict, i32 zero
//   kinds              reasons of rejection, a line each
//
// It is read whole when a shard is opened: 64 samples are 6 kB, and any sample
// of a data set costs one index and one tar, however large the set.

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"

namespace sono {

// Where one file lies in its tar.
struct MemberEntry {
  std::int64_t offset = 0;  // of the first data byte in the tar
  std::int64_t size_bytes = 0;
  std::uint32_t crc = 0;  // CRC-32
  bool operator==(const MemberEntry&) const = default;
};

struct SampleEntry {
  Sha256Digest hash{};  // over key, pixels and provenance
  MemberEntry image, mask, provenance;
  int verdict = 0;  // 0: accepted; k: rejected for kinds[k - 1]
  bool operator==(const SampleEntry&) const = default;
};

struct ShardIndex {
  std::int64_t shard = 0;
  std::int64_t first_sample = 0;
  std::int64_t tar_size_bytes = 0;
  Sha256Digest tar_sha256{};
  std::vector<SampleEntry> samples;
  std::vector<std::string> kinds;  // of rejection, in order of first sight

  bool operator==(const ShardIndex&) const = default;
  std::int64_t accepted() const;
  std::map<std::string, std::int64_t> rejected() const;  // by kind
};

// "000123"; keys sort like their samples up to a million, and are unique after.
std::string sample_key(std::int64_t sample);

// Notes the verdict of a sample's provenance ("gate": {"accepted", "kind"}),
// which is accepted where it says nothing.
void set_verdict(SampleEntry& sample, const nlohmann::json& provenance,
                 ShardIndex& index);

std::string serialize(const ShardIndex& index);
// DataError naming `name` when the bytes are not a whole index.
ShardIndex parse_index(std::string_view bytes, const std::string& name);

}  // namespace sono
