#pragma once
// Weights written by torch.save (1.6 or later): a zip file with a pickle and
// one entry a storage. Read by our own parser; no code in the file is ever run.

#include <filesystem>

#include "models/nn/module.h"

namespace sono {

// The tensors of a dictionary {name: tensor}, or of such a dictionary under
// "model" or "state_dict", where anything that training frameworks keep beside
// it is passed over; in the file's dtypes, over a private mapping of the file
// as map_safetensors gives. DataError naming the file and what is wrong for
// anything else.
StateDict load_torch_checkpoint(const std::filesystem::path& path);

}  // namespace sono
