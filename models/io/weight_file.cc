#include "models/io/weight_file.h"

#include <set>

#include "core/error.h"
#include "models/io/file_reader.h"
#include "models/io/json_file.h"
#include "models/io/safetensors.h"
#include "models/io/torch_pickle.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxIndexBytes = 64 << 20;

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// "model.safetensors.index.json", or "...index.fp16.json" of a variant.
bool is_index(const std::string& name) {
  return name.find(".index.") != std::string::npos && ends_with(name, ".json");
}

std::string first_bytes(const fs::path& path, std::uint64_t count) {
  const FileReader file(path);
  return file.read(0, std::min(count, file.size_bytes()));
}

StateDict map_file(const fs::path& path) {
  const std::string start = first_bytes(path, 64);
  if (start.rfind("version https://git-lfs", 0) == 0) {
    throw DataError(path.string() +
                    ": a Git LFS pointer, not the weights; run: git lfs pull");
  }
  const bool is_zip = start.rfind("PK", 0) == 0;
  const bool is_pickle = start.rfind("\x80\x02\x8a", 0) == 0;
  return is_zip || is_pickle ? load_torch_checkpoint(path)
                             : map_safetensors(path);
}

// {tensor: file} of an index.
std::map<std::string, std::string> read_index(const fs::path& path) {
  const auto refuse = [&](const std::string& why) {
    throw DataError(path.string() + ": not a usable index of weights: " + why);
  };
  const nlohmann::json json = read_json_object(path, kMaxIndexBytes);
  std::map<std::string, std::string> files;
  try {
    files = json.at("weight_map").get<decltype(files)>();
  } catch (const nlohmann::json::exception& e) {
    refuse(e.what());
  }
  if (files.empty()) refuse("weight_map names no tensor");
  for (const auto& [tensor, name] : files) {
    // The index may be a stranger's; it must not lead out of its folder.
    if (name.empty() || name != fs::path(name).filename() || name == "." ||
        name == ".." || is_index(name)) {
      refuse(tensor + " is said to be in \"" + name +
             "\"; wanted a file beside the index");
    }
  }
  return files;
}

StateDict map_shards(const fs::path& path) {
  const auto wanted = read_index(path);
  std::set<std::string> shards;
  for (const auto& [tensor, name] : wanted) shards.insert(name);
  StateDict state;
  std::string problems;
  for (const std::string& name : shards) {
    for (const auto& [tensor, values] : map_file(path.parent_path() / name)) {
      const auto found = wanted.find(tensor);
      if (found == wanted.end() || found->second != name) {
        problems += "\n    not in the index: " + tensor + " of " + name;
      } else {
        state.emplace(tensor, values);
      }
    }
  }
  for (const auto& [tensor, name] : wanted) {
    if (!state.count(tensor)) {
      problems += "\n    not in " + name + ": " + tensor;
    }
  }
  if (problems.empty()) return state;
  throw DataError(path.string() + ": the shards do not fit it:" + problems);
}

}  // namespace

StateDict map_weights(const fs::path& path) {
  return is_index(path.filename().string()) ? map_shards(path) : map_file(path);
}

}  // namespace sono
