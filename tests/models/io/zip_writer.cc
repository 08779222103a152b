#include "tests/models/io/zip_writer.h"

#include <cstdint>

namespace sono::testing {
namespace {

std::string little(std::uint64_t value, int width) {
  std::string out;
  for (int i = 0; i < width; ++i) {
    out.push_back(static_cast<char>(value >> (8 * i)));
  }
  return out;
}

}  // namespace

std::string zip_bytes(const ZipFiles& files) {
  std::string out, directory;
  for (const auto& [name, data] : files) {
    const std::string sizes = little(0, 4) + little(data.size(), 4) +
                              little(data.size(), 4) + little(name.size(), 2) +
                              little(0, 2);
    directory += "PK\x01\x02" + little(0, 4) + little(0, 8) + sizes +
                 little(0, 10) + little(out.size(), 4) + name;
    out += "PK\x03\x04" + little(0, 2) + little(0, 2) + little(0, 6) + sizes +
           name + data;
  }
  const std::uint64_t offset = out.size();
  return out + directory + "PK\x05\x06" + little(0, 4) +
         little(files.size(), 2) + little(files.size(), 2) +
         little(directory.size(), 4) + little(offset, 4) + little(0, 2);
}

std::string text(const std::string& value) {
  return "X" + little(value.size(), 4) + value;
}

std::string integer(std::int32_t value) {
  return "J" + little(static_cast<std::uint32_t>(value), 4);
}

std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}

std::string storage(const std::string& key, std::int32_t count,
                    const std::string& type) {
  return "(" + text("storage") + global("torch", type) + text(key) +
         text("cpu") + integer(count) + "tQ";
}

std::string tuple(const std::vector<std::int32_t>& values) {
  std::string out = "(";
  for (std::int32_t value : values) out += integer(value);
  return out + "t";
}

std::string tensor(std::int32_t count, std::int32_t offset,
                   const std::vector<std::int32_t>& sizes,
                   const std::vector<std::int32_t>& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" +
         storage("0", count) + integer(offset) + tuple(sizes) + tuple(strides) +
         "\x89" + global("collections", "OrderedDict") + ")RtR";
}

std::string dict_with(const std::string& value) {
  return "\x80\x02}" + text("weight") + value + "s.";
}

}  // namespace sono::testing
