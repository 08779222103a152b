#pragma once
// The header of a safetensors file: little-endian uint64 length, then JSON with
// one entry a tensor {dtype, shape, data_offsets} and optional __metadata__.
// Pure format, no tensors: the checkpoint store (dist) and the weight files
// (models) both build on it. Format: github.com/huggingface/safetensors.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sono {

struct SafetensorsEntry {
  std::string name;
  std::string dtype;  // "F32", "F16", "BF16", "F64", "I64", "I32", "U8", "BOOL"
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;  // bytes from the start of the data section
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // sorted by offset
  std::map<std::string, std::string> metadata;
  std::uint64_t data_begin = 0;  // file offset of the data section
};

std::uint64_t safetensors_dtype_bytes(const std::string& dtype);

// Offsets for tensors laid end to end in order of name; fills begin and end.
void assign_offsets(std::vector<SafetensorsEntry>& entries);

// The first bytes of the file: length and JSON, padded with spaces so that the
// data start at a multiple of `alignment`.
std::string serialize_header(const SafetensorsHeader& header,
                             std::uint64_t alignment = 4096);

// Parses the start of a file of `file_bytes` bytes. Refuses (DataError naming
// `file_name`): a header longer than the file or than 100 MB, bad JSON, unknown
// dtypes, negative shapes, sizes that disagree, gaps, overlaps, trailing bytes.
SafetensorsHeader parse_header(std::string_view start, std::uint64_t file_bytes,
                               const std::string& file_name);

// The header of a file, checked as above; reads nothing else of it.
SafetensorsHeader read_header(const std::filesystem::path& path);

}  // namespace sono
