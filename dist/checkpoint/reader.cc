#include "dist/checkpoint/reader.h"

#include <fstream>

#include "core/error.h"
#include "core/message.h"
#include "core/safetensors_header.h"
#include "dist/checkpoint/writer.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

void check_wanted(const fs::path& folder, const CheckpointState& found,
                  const CheckpointState& wanted) {
  if (found.config_hash == wanted.config_hash && found.seed == wanted.seed &&
      found.lanes == wanted.lanes) {
    return;
  }
  const auto text = [](const CheckpointState& state) {
    return state.config_hash + " (seed " + std::to_string(state.seed) + ", " +
           std::to_string(state.lanes) + " lanes)";
  };
  throw ConfigError(folder.string() + ": made by config " + text(found) +
                    ", this run has config " + text(wanted) +
                    "; restore that config, or choose another output folder");
}

std::optional<FoundCheckpoint> newest_good(const fs::path& root) {
  for (const fs::path& folder : list_checkpoints(root)) {
    try {
      return FoundCheckpoint{folder, verify_checkpoint(folder)};
    } catch (const DataError& e) {
      log_warning(std::string(e.what()) + "; trying the checkpoint before it");
    }
  }
  return std::nullopt;
}

SafetensorsHeader read_header(std::ifstream& stream, const fs::path& path) {
  const std::uint64_t size = fs::file_size(path);
  std::string start(8, '\0');
  stream.read(start.data(), 8);
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) {
    length = length << 8 | static_cast<std::uint8_t>(start[i]);
  }
  if (stream && length <= size) {
    start.resize(8 + length);
    stream.read(start.data() + 8, static_cast<std::streamsize>(length));
  }
  if (!stream) throw DataError(path.string() + ": header cut short");
  return parse_header(start, size, path.string());
}

void read_tensor(std::ifstream& stream, const SafetensorsEntry& entry,
                 std::uint64_t data_begin, const fs::path& path,
                 at::Tensor target) {
  if (entry.dtype != "F32" || at::IntArrayRef(entry.shape) != target.sizes()) {
    throw DataError(path.string() + ": tensor " + entry.name +
                    " has another dtype or shape than the model's");
  }
  const at::Tensor host = at::empty(target.sizes(), at::kFloat);
  stream.seekg(static_cast<std::streamoff>(data_begin + entry.begin));
  stream.read(static_cast<char*>(host.data_ptr()),
              static_cast<std::streamsize>(host.nbytes()));
  if (!stream) throw DataError(path.string() + ": cut short");
  target.copy_(host);
}

void read_file_into(const fs::path& path, const NamedTensors& targets) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw DataError(path.string() + ": cannot be read");
  const SafetensorsHeader header = read_header(stream, path);
  std::map<std::string, const SafetensorsEntry*> entries;
  for (const auto& entry : header.entries) entries[entry.name] = &entry;
  if (entries.size() != targets.size()) {
    throw DataError(path.string() + ": has " + std::to_string(entries.size()) +
                    " tensors, the model " + std::to_string(targets.size()));
  }
  for (const auto& [name, tensor] : targets) {
    const auto found = entries.find(name);
    if (found == entries.end()) {
      throw DataError(path.string() + ": tensor " + name + " is missing");
    }
    read_tensor(stream, *found->second, header.data_begin, path, tensor);
  }
}

}  // namespace

std::optional<FoundCheckpoint> find_checkpoint(Communicator& comm,
                                               const fs::path& root,
                                               const CheckpointState& wanted) {
  std::optional<FoundCheckpoint> found;
  run_together(comm, [&] {
    if (comm.rank() != 0) return;
    found = newest_good(root);
    if (found) check_wanted(found->path, found->state, wanted);
  });
  const std::string text = broadcast_string(
      comm, found ? found->state.to_json().dump() : std::string());
  if (text.empty()) return std::nullopt;
  const auto state = CheckpointState::from_json(nlohmann::json::parse(text));
  return FoundCheckpoint{root / checkpoint_name(state.step), state};
}

void load_checkpoint(Communicator& comm, const fs::path& folder, Arena& arena) {
  at::NoGradGuard no_grad;
  run_together(comm, [&] {
    for (const CheckpointFile& file : checkpoint_files(arena)) {
      read_file_into(folder / file.name, file.tensors);
    }
  });
}

}  // namespace sono
