#pragma once
// Weight files of every kind that models are published in.

#include <filesystem>

#include "models/nn/module.h"

namespace sono {

// The tensors of one of
//   *.index.json   shards and where each tensor lies (huggingface's format)
//   a zip file     torch.save's .pth, .pt, .bin and .ckpt
//   else           safetensors
// over private mappings (models/io/mapped_file.h), in the files' dtypes.
// DataError naming the file and the remedy: missing, damaged, hostile, a Git
// LFS pointer, a shard that disagrees with its index.
StateDict map_weights(const std::filesystem::path& path);

}  // namespace sono
