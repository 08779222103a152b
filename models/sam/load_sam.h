#pragma once
// Opens published SAM weights of any kind that this program knows.

#include <filesystem>
#include <memory>

#include "models/sam/sam.h"

namespace sono {

// `path`: a .pth of Meta (or MedSAM, LiteMedSAM), a .safetensors with Meta's or
// Hugging Face's names, or a folder of Hugging Face's with config.json and
// model.safetensors. The model's sizes come from the file; config.json adds the
// decoder's number of heads, and must not contradict. Strict: DataError names
// the file and every key that is missing, left over or misshapen.
std::unique_ptr<Sam> load_sam(const std::filesystem::path& path);

// The weights file behind `path`: itself, or the one inside a folder.
std::filesystem::path sam_weights_file(const std::filesystem::path& path);

// The tensors of a weights file, under Meta's names.
StateDict load_sam_state(const std::filesystem::path& file);

}  // namespace sono
