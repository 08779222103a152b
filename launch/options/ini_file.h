#pragma once
// Recipes and configs: INI files, read by Boost.Program_options.
//
//   [diffusion]
//   lr = 1e-4        # is diffusion.lr

#include <filesystem>

#include "core/option.h"

namespace sono {

// Sets in `table` every option the file names. ConfigError, with file and line:
// a line that is no INI, a key given twice, an unknown key (with the nearest
// known one), a value of the wrong type. ConfigError too when the file is
// missing.
void load_ini(const std::filesystem::path& path, OptionTable& table);

}  // namespace sono
