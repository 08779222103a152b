#include "dist/checkpoint/reader.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "core/error.h"
#include "core/message.h"
#include "core/safetensors_header.h"
#include "dist/checkpoint/file_layout.h"
#include "dist/checkpoint/verify.h"

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

// The names of the checkpoints in `root` as rank 0 sees them, newest first.
std::vector<std::string> checkpoint_names(Communicator& comm,
                                          const fs::path& root) {
  std::string names;
  if (comm.rank() == 0) {
    for (const fs::path& folder : list_checkpoints(root)) {
      names += folder.filename().string() + "\n";
    }
  }
  std::istringstream stream(broadcast_string(comm, names));
  std::vector<std::string> list;
  for (std::string name; std::getline(stream, name);) list.push_back(name);
  return list;
}

// The tensors of one file, one after the other, into the arena.
class FileLoader {
 public:
  FileLoader(const fs::path& path, const Arena& arena)
      : path_(path),
        header_(read_header(path)),
        stream_(path, std::ios::binary),
        buffers_(checkpoint_buffers(arena)) {}

  void load(const FileLayout& expected) {
    std::map<std::string, const SafetensorsEntry*> entries;
    for (const auto& entry : header_.entries) entries[entry.name] = &entry;
    if (entries.size() != expected.tensors.size()) {
      throw DataError(path_.string() + ": has " +
                      std::to_string(entries.size()) + " tensors, the model " +
                      std::to_string(expected.tensors.size()));
    }
    for (const FileTensor& tensor : expected.tensors) {
      const auto found = entries.find(tensor.name);
      if (found == entries.end()) {
        throw DataError(path_.string() + ": tensor " + tensor.name +
                        " is missing");
      }
      load_tensor(tensor, *found->second);
    }
  }

 private:
  void load_tensor(const FileTensor& tensor, const SafetensorsEntry& entry) {
    if (entry.dtype != "F32" || entry.shape != tensor.shape) {
      throw DataError(path_.string() + ": tensor " + tensor.name +
                      " has another dtype or shape than the model's");
    }
    const auto count =
        static_cast<std::int64_t>((entry.end - entry.begin) / sizeof(float));
    const FlatBuffer& buffer = *buffers_[tensor.buffer];
    for (const Range& held : buffer.ranges()) {
      const Range part{std::max(held.begin, tensor.element),
                       std::min(held.end, tensor.element + count)};
      if (part.size() <= 0) continue;
      const auto skipped =
          static_cast<std::uint64_t>(part.begin - tensor.element);
      read(header_.data_begin + entry.begin + skipped * sizeof(float),
           buffer.view(part));
    }
  }

  void read(std::uint64_t offset, const at::Tensor& target) {
    const at::Tensor host =
        target.is_cpu() ? target : at::empty(target.sizes(), at::kFloat);
    stream_.seekg(static_cast<std::streamoff>(offset));
    stream_.read(static_cast<char*>(host.data_ptr()),
                 static_cast<std::streamsize>(host.nbytes()));
    if (!stream_) throw DataError(path_.string() + ": cut short");
    if (!target.is_cpu()) at::Tensor(target).copy_(host);
  }

  fs::path path_;
  SafetensorsHeader header_;
  std::ifstream stream_;
  PerBuffer<const FlatBuffer*> buffers_;
};

}  // namespace

std::optional<FoundCheckpoint> find_checkpoint(Communicator& comm,
                                               const fs::path& root,
                                               const CheckpointState& wanted) {
  for (const std::string& name : checkpoint_names(comm, root)) {
    const fs::path folder = root / name;
    try {
      const CheckpointState state = verify_checkpoint(comm, folder);
      check_wanted(folder, state, wanted);
      return FoundCheckpoint{folder, state};
    } catch (const DataError& e) {
      if (comm.rank() != 0) continue;
      log_warning(std::string(e.what()) + "; trying the checkpoint before it");
    }
  }
  return std::nullopt;
}

void load_checkpoint(Communicator& comm, const fs::path& folder, Arena& arena) {
  at::NoGradGuard no_grad;
  run_together(comm, [&] {
    for (const FileLayout& file : file_layouts(arena)) {
      FileLoader(folder / file.name, arena).load(file);
    }
  });
}

}  // namespace sono
