#pragma once
// What a published model's files hold, as one text.

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "dist/communicator.h"

namespace sono {

// SHA-256 by part: "unet", "vae", "text_encoder", "tokenizer", "scheduler".
// Of all files in a part's folder, or of the single file that holds every part
// but the tokenizer, which then is that of the folder `tokenizer`.
// Rank 0 reads them; `tick` is called after each. DataError
// when one cannot be read. All ranks must call.
std::map<std::string, std::string> hashes_of_model(
    Communicator& comm, const std::filesystem::path& model,
    const std::filesystem::path& tokenizer, const std::function<void()>& tick);

}  // namespace sono
