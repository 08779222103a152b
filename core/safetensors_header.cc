#include "core/safetensors_header.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/check.h"

namespace sono {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;

[[noreturn]] void refuse(const std::string& file, const std::string& why) {
  throw DataError(file + ": not a usable safetensors file: " + why);
}

std::uint64_t tensor_bytes(const SafetensorsEntry& entry,
                           const std::string& file) {
  std::uint64_t bytes = safetensors_dtype_bytes(entry.dtype);
  if (bytes == 0)
    refuse(file, entry.name + " has unknown dtype " + entry.dtype);
  for (std::int64_t dim : entry.shape) {
    if (dim < 0) refuse(file, entry.name + " has a negative dimension");
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(dim),
                               &bytes)) {
      refuse(file, entry.name + " is absurdly large");
    }
  }
  return bytes;
}

SafetensorsEntry parse_entry(const std::string& name,
                             const nlohmann::json& value,
                             const std::string& file) {
  try {
    SafetensorsEntry entry;
    entry.name = name;
    entry.dtype = value.at("dtype").get<std::string>();
    entry.shape = value.at("shape").get<std::vector<std::int64_t>>();
    const auto offsets =
        value.at("data_offsets").get<std::vector<std::uint64_t>>();
    if (offsets.size() != 2) refuse(file, name + " has bad data_offsets");
    entry.begin = offsets[0];
    entry.end = offsets[1];
    return entry;
  } catch (const nlohmann::json::exception& e) {
    refuse(file, "entry " + name + ": " + e.what());
  }
}

void check_ranges(SafetensorsHeader& header, std::uint64_t data_bytes,
                  const std::string& file) {
  std::sort(header.entries.begin(), header.entries.end(),
            [](const auto& a, const auto& b) {
              return std::tie(a.begin, a.end, a.name) <
                     std::tie(b.begin, b.end, b.name);
            });
  std::uint64_t expected = 0;
  for (const auto& entry : header.entries) {
    if (entry.begin != expected) {
      refuse(file, entry.name + " leaves a gap or overlaps its neighbour");
    }
    if (entry.end < entry.begin ||
        entry.end - entry.begin != tensor_bytes(entry, file)) {
      refuse(file, entry.name + " has a size that disagrees with its shape");
    }
    expected = entry.end;
  }
  if (expected != data_bytes) {
    refuse(file, "the header describes " + std::to_string(expected) +
                     " bytes of data, the file holds " +
                     std::to_string(data_bytes));
  }
}

}  // namespace

std::uint64_t safetensors_dtype_bytes(const std::string& dtype) {
  static const std::map<std::string, std::uint64_t> kBytes = {
      {"F64", 8}, {"I64", 8}, {"U64", 8},  {"F32", 4}, {"I32", 4},
      {"U32", 4}, {"F16", 2}, {"BF16", 2}, {"I16", 2}, {"U16", 2},
      {"I8", 1},  {"U8", 1},  {"BOOL", 1}};
  const auto found = kBytes.find(dtype);
  return found == kBytes.end() ? 0 : found->second;
}

void assign_offsets(std::vector<SafetensorsEntry>& entries) {
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  std::uint64_t offset = 0;
  for (auto& entry : entries) {
    entry.begin = offset;
    offset += tensor_bytes(entry, "header");
    entry.end = offset;
  }
}

std::string serialize_header(const SafetensorsHeader& header,
                             std::uint64_t alignment) {
  nlohmann::json json = nlohmann::json::object();
  if (!header.metadata.empty()) json["__metadata__"] = header.metadata;
  for (const auto& entry : header.entries) {
    json[entry.name] = {{"dtype", entry.dtype},
                        {"shape", entry.shape},
                        {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text = json.dump();
  const std::uint64_t used = 8 + text.size();
  text.append((alignment - used % alignment) % alignment, ' ');
  std::string out(8, '\0');
  for (int i = 0; i < 8; ++i) {
    out[i] = static_cast<char>(std::uint64_t{text.size()} >> (8 * i));
  }
  return out + text;
}

SafetensorsHeader parse_header(std::string_view start, std::uint64_t file_bytes,
                               const std::string& file_name) {
  if (start.size() < 8) refuse(file_name, "shorter than 8 bytes");
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) {
    length = length << 8 | static_cast<std::uint8_t>(start[i]);
  }
  if (length > kMaxHeaderBytes || length > file_bytes - 8) {
    refuse(file_name, "header of " + std::to_string(length) +
                          " bytes in a file of " + std::to_string(file_bytes));
  }
  SONO_CHECK(start.size() >= 8 + length, "parse_header needs the whole header");
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(start.substr(8, length));
  } catch (const nlohmann::json::exception& e) {
    refuse(file_name, e.what());
  }
  if (!json.is_object()) refuse(file_name, "the header is not an object");
  SafetensorsHeader header;
  header.data_begin = 8 + length;
  for (const auto& [name, value] : json.items()) {
    if (name == "__metadata__") {
      if (!value.is_object()) refuse(file_name, "__metadata__ is no object");
      for (const auto& [key, text] : value.items()) {
        if (!text.is_string()) refuse(file_name, "__metadata__ is no text");
        header.metadata[key] = text.get<std::string>();
      }
    } else {
      header.entries.push_back(parse_entry(name, value, file_name));
    }
  }
  check_ranges(header, file_bytes - header.data_begin, file_name);
  return header;
}

SafetensorsHeader read_header(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::error_code code;
  const std::uint64_t bytes = std::filesystem::file_size(path, code);
  if (!file || code) throw DataError(path.string() + ": cannot be read");
  std::string start(std::min<std::uint64_t>(bytes, 8), '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  std::uint64_t length = 0;
  for (std::size_t i = start.size(); i-- > 0;) {
    length = length << 8 | static_cast<std::uint8_t>(start[i]);
  }
  // A wild length is left to parse_header to refuse.
  if (bytes > 8 && length <= std::min(bytes - 8, kMaxHeaderBytes)) {
    start.resize(8 + length);
    file.read(start.data() + 8, static_cast<std::streamsize>(length));
  }
  if (!file) throw DataError(path.string() + ": read error");
  return parse_header(start, bytes, path.string());
}

}  // namespace sono
