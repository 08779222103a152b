#pragma once
// Weight files in the safetensors format.

#include <filesystem>
#include <map>
#include <string>

#include "models/nn/module.h"

namespace sono {

// All tensors of the file, contiguous on the CPU in the file's dtypes.
// DataError naming the file when it is missing, damaged or hostile.
StateDict load_safetensors(const std::filesystem::path& path);

// The same tensors over a private mapping of the file: it is read page by page
// when they are used, never changed by writes to them, and must not be
// shortened or overwritten while one of them lives (models/io/mapped_file.h).
StateDict map_safetensors(const std::filesystem::path& path);

// Writes tensors sorted by name, row-major, without gaps; the file appears
// whole or not at all, and equal tensors give equal bytes.
void save_safetensors(const std::filesystem::path& path, const StateDict& state,
                      const std::map<std::string, std::string>& metadata = {});

}  // namespace sono
