#pragma once
// The directory of a zip file whose entries are stored, not compressed, which
// is how torch.save writes. Handles zip64. Sizes and offsets are checked
// against the file; entries may not add up to more than it.

#include <cstdint>
#include <map>
#include <string>

#include "models/io/file_reader.h"

namespace sono {

struct ZipEntry {
  std::uint64_t data_offset = 0;  // from the start of the file
  std::uint64_t size_bytes = 0;
};

// DataError naming the file for anything but a sound archive of stored entries.
std::map<std::string, ZipEntry> read_zip_directory(const FileReader& file);

}  // namespace sono
