#pragma once
// What a published model's files hold, as one text.

#include <filesystem>
#include <functional>
#include <string>

namespace sono {

// SHA-256 of one part of a model: of all files in its folder ("unet", "vae",
// "text_encoder", "tokenizer", "scheduler"), or of the single file that holds
// every part. Reads all of them; `tick` is called after each. DataError when
// one cannot be read.
std::string hash_of_part(const std::filesystem::path& model,
                         const std::string& part,
                         const std::function<void()>& tick = {});

}  // namespace sono
