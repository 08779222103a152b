#include "experiments/stable_diffusion_hash.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/hash.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

std::string hash_of_folder(const fs::path& folder,
                           const std::function<void()>& tick) {
  std::vector<fs::path> files;
  if (fs::is_directory(folder)) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::string all;
  for (const fs::path& file : files) {
    all += file.filename().string() + " " + sha256_file(file) + "\n";
    tick();
  }
  return sha256_hex(all);
}

nlohmann::json read_hashes(const fs::path& model, const fs::path& tokenizer,
                           const std::function<void()>& tick) {
  const bool single = !fs::is_directory(model);
  const std::string whole = single ? sha256_file(model) : "";
  nlohmann::json found;
  for (const char* part :
       {"unet", "vae", "text_encoder", "tokenizer", "scheduler"}) {
    found[part] = single ? whole : hash_of_folder(model / part, tick);
  }
  if (single) found["tokenizer"] = hash_of_folder(tokenizer, tick);
  return found;
}

}  // namespace

std::map<std::string, std::string> hashes_of_model(
    Communicator& comm, const fs::path& model, const fs::path& tokenizer,
    const std::function<void()>& tick) {
  nlohmann::json found;
  run_together(comm, [&] {
    if (comm.rank() == 0) found = read_hashes(model, tokenizer, tick);
  });
  return nlohmann::json::parse(broadcast_string(comm, found.dump()))
      .get<std::map<std::string, std::string>>();
}

}  // namespace sono
