#include "experiments/stable_diffusion_hash.h"

#include <algorithm>
#include <vector>

#include "core/hash.h"

namespace fs = std::filesystem;

namespace sono {

std::string hash_of_part(const fs::path& model, const std::string& part,
                         const std::function<void()>& tick) {
  if (!fs::is_directory(model)) return sha256_file(model);
  std::vector<fs::path> files;
  if (fs::is_directory(model / part)) {
    for (const auto& entry : fs::directory_iterator(model / part)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::string all;
  for (const fs::path& file : files) {
    all += file.filename().string() + " " + sha256_file(file) + "\n";
    if (tick) tick();
  }
  return sha256_hex(all);
}

}  // namespace sono
