#include "models/io/safetensors.h"

#include <array>
#include <cerrno>
#include <fstream>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/safetensors_header.h"
#include "models/io/file_reader.h"
#include "models/io/mapped_file.h"

namespace sono {
namespace {

struct DtypeName {
  const char* name;
  at::ScalarType type;
};

constexpr std::array kDtypes = {
    DtypeName{"F64", at::kDouble}, DtypeName{"F32", at::kFloat},
    DtypeName{"F16", at::kHalf},   DtypeName{"BF16", at::kBFloat16},
    DtypeName{"I64", at::kLong},   DtypeName{"I32", at::kInt},
    DtypeName{"I16", at::kShort},  DtypeName{"I8", at::kChar},
    DtypeName{"U8", at::kByte},    DtypeName{"BOOL", at::kBool}};

at::ScalarType scalar_type(const SafetensorsEntry& entry,
                           const std::string& file) {
  for (const auto& dtype : kDtypes) {
    if (entry.dtype == dtype.name) return dtype.type;
  }
  throw DataError(file + ": " + entry.name + " has dtype " + entry.dtype +
                  ", which no model here uses");
}

const char* dtype_name(const std::string& tensor, at::ScalarType type) {
  for (const auto& dtype : kDtypes) {
    if (type == dtype.type) return dtype.name;
  }
  throw Error(tensor + ": safetensors has no name for its dtype");
}

}  // namespace

StateDict load_safetensors(const std::filesystem::path& path) {
  const FileReader file(path);
  const SafetensorsHeader header = read_header(path);
  StateDict state;
  for (const auto& entry : header.entries) {
    at::Tensor tensor = at::empty(entry.shape, scalar_type(entry, file.name()));
    file.read(header.data_begin + entry.begin, tensor.data_ptr(),
              entry.end - entry.begin);
    state.emplace(entry.name, std::move(tensor));
  }
  return state;
}

StateDict map_safetensors(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const SafetensorsHeader header =
      parse_header(file->bytes(), file->bytes().size(), file->name());
  StateDict state;
  for (const auto& entry : header.entries) {
    state.emplace(entry.name,
                  file->tensor(header.data_begin + entry.begin, entry.shape,
                               scalar_type(entry, file->name())));
  }
  return state;
}

void save_safetensors(const std::filesystem::path& path, const StateDict& state,
                      const std::map<std::string, std::string>& metadata) {
  SafetensorsHeader header;
  header.metadata = metadata;
  for (const auto& [name, tensor] : state) {
    header.entries.push_back({.name = name,
                              .dtype = dtype_name(name, tensor.scalar_type()),
                              .shape = tensor.sizes().vec()});
  }
  assign_offsets(header.entries);
  const auto temporary = temporary_name(path);
  std::ofstream out(temporary, std::ios::binary);
  const std::string start = serialize_header(header);
  out.write(start.data(), static_cast<std::streamsize>(start.size()));
  for (const auto& entry : header.entries) {
    const at::Tensor tensor = state.at(entry.name).cpu().contiguous();
    out.write(static_cast<const char*>(tensor.data_ptr()),
              static_cast<std::streamsize>(tensor.nbytes()));
  }
  out.close();
  if (!out) {
    const int error_number = errno;
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw_file_error(path, "write", error_number);
  }
  commit_file(temporary, path);
}

}  // namespace sono
