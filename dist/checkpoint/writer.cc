#include "dist/checkpoint/writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "dist/checkpoint/file_image.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

// Removes the checkpoints beside `kept`, but for the one named `also_kept`. The
// manifest goes first: a half-removed checkpoint is none.
void remove_except(const fs::path& kept, const std::string& also_kept) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(kept.parent_path())) {
    const std::string other = entry.path().filename().string();
    if (other.starts_with("step-") && other != kept.filename().string() &&
        other != also_kept) {
      fs::remove(entry.path() / "manifest.json", ignored);
      fs::remove_all(entry.path(), ignored);
    }
  }
}

// A file being filled by several ranks. Errors name the path.
class OutputFile {
 public:
  OutputFile(const fs::path& path, int flags)
      : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    if (fd_ < 0) throw_file_error(path_, "open", errno);
  }
  ~OutputFile() { ::close(fd_); }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void resize(std::uint64_t bytes) {
    if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) {
      throw_file_error(path_, "resize", errno);
    }
  }
  void write_at(std::uint64_t offset, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count =
          ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw_file_error(path_, "write", errno);
      bytes.remove_prefix(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
  }
  void sync() {
    if (::fsync(fd_) != 0) throw_file_error(path_, "fsync", errno);
  }

 private:
  fs::path path_;
  int fd_;
};

std::uint64_t num_blocks(const FileImage& image) {
  return (image.size() + kChecksumBlockBytes - 1) / kChecksumBlockBytes;
}

std::string block_of(const FileImage& image, std::uint64_t index) {
  const std::uint64_t begin = index * kChecksumBlockBytes;
  return image.bytes(begin,
                     std::min(begin + kChecksumBlockBytes, image.size()));
}

// Writes this rank's blocks; their checksums, in order.
std::vector<std::uint32_t> write_part(const Communicator& comm,
                                      const fs::path& path,
                                      const FileImage& image) {
  const auto count = static_cast<std::int64_t>(num_blocks(image));
  const int n = comm.world_size();
  OutputFile file(path, O_WRONLY);
  std::vector<std::uint32_t> checksums;
  for (auto i = split_point(count, n, comm.rank());
       i < split_point(count, n, comm.rank() + 1); ++i) {
    const auto index = static_cast<std::uint64_t>(i);
    const std::string block = block_of(image, index);
    file.write_at(index * kChecksumBlockBytes, block);
    checksums.push_back(crc32(block.data(), block.size()));
  }
  file.sync();
  return checksums;
}

std::string hash_of(const FileImage& image) {
  Sha256 hash;
  for (std::uint64_t i = 0; i < num_blocks(image); ++i) {
    hash.update(block_of(image, i));
  }
  return hash.hex();
}

ManifestFile entry_of(const std::string& text) {
  return {text.size(), sha256_hex(text), {crc32(text.data(), text.size())}};
}

// Rank 0's part of a save. Other ranks hold an idle one.
class SaveFolder {
 public:
  SaveFolder(fs::path folder, bool active)
      : folder_(std::move(folder)), active_(active) {}
  // An unfinished folder goes, so that a full disk has room again.
  ~SaveFolder() {
    std::error_code ignored;
    if (active_ && !done_) fs::remove_all(folder_, ignored);
  }
  SaveFolder(const SaveFolder&) = delete;
  SaveFolder& operator=(const SaveFolder&) = delete;

  void create() {
    if (!active_) return;
    // The manifest first: without it the folder counts as unfinished.
    std::error_code ignored;
    fs::remove(folder_ / "manifest.json", ignored);
    fs::remove_all(folder_, ignored);
    make_directories(folder_);
  }

  void create_file(const std::string& name, std::uint64_t bytes) {
    if (active_) {
      OutputFile(folder_ / name, O_WRONLY | O_CREAT | O_TRUNC).resize(bytes);
    }
  }

  void commit(const CheckpointState& state, CheckpointManifest manifest) {
    if (!active_) return;
    const std::string text = state.to_json().dump(2) + "\n";
    write_file_atomic(folder_ / "state.json", text);
    manifest.files["state.json"] = entry_of(text);
    write_file_atomic(folder_ / "manifest.json",
                      manifest.to_json().dump(1) + "\n");
    done_ = true;
    OutputFile(folder_.parent_path(), O_RDONLY | O_DIRECTORY).sync();
  }

  // Keeps this checkpoint and the newest whole one before it.
  void remove_others() const {
    if (!active_) return;
    const std::string name = folder_.filename().string();
    std::string previous;
    for (const fs::path& path : list_checkpoints(folder_.parent_path())) {
      const std::string other = path.filename().string();
      if (other < name) previous = std::max(previous, other);
    }
    remove_except(folder_, previous);
  }

 private:
  fs::path folder_;
  bool active_;
  bool done_ = false;
};

// Checksums of all blocks of all files, from the ranks' parts; [file][block].
std::vector<std::vector<std::uint32_t>> gather_checksums(
    Communicator& comm, const std::vector<std::vector<std::uint32_t>>& mine) {
  std::vector<std::vector<std::uint32_t>> all(mine.size());
  for (const std::string& text :
       gather_strings(comm, nlohmann::json(mine).dump())) {
    const auto part = nlohmann::json::parse(text)
                          .get<std::vector<std::vector<std::uint32_t>>>();
    for (std::size_t i = 0; i < part.size(); ++i) {
      all[i].insert(all[i].end(), part[i].begin(), part[i].end());
    }
  }
  return all;
}

}  // namespace

std::vector<CheckpointFile> checkpoint_files(const Arena& arena) {
  const Layout& layout = arena.layout();
  NamedTensors moments = layout.views(arena.exp_avg.data, "exp_avg.");
  if (arena.exp_avg_sq.defined()) {
    const NamedTensors squares =
        layout.views(arena.exp_avg_sq.data, "exp_avg_sq.");
    moments.insert(moments.end(), squares.begin(), squares.end());
  }
  std::vector<CheckpointFile> files = {
      {"model.safetensors", layout.views(arena.params.data)},
      {"optimizer.safetensors", std::move(moments)}};
  if (arena.ema.defined()) {
    files.push_back({"ema.safetensors", layout.views(arena.ema.data)});
  }
  return files;
}

fs::path save_checkpoint(Communicator& comm, const fs::path& root,
                         const CheckpointState& state, const Arena& arena) {
  const fs::path folder = root / checkpoint_name(state.step);
  const bool first = comm.rank() == 0;
  const std::vector<CheckpointFile> files = checkpoint_files(arena);
  std::vector<FileImage> images;
  for (const CheckpointFile& file : files) images.emplace_back(file.tensors);

  SaveFolder save(folder, first);
  run_together(comm, [&] {
    save.create();
    for (std::size_t i = 0; i < files.size(); ++i) {
      save.create_file(files[i].name, images[i].size());
    }
  });

  CheckpointManifest manifest;
  std::vector<std::vector<std::uint32_t>> checksums(files.size());
  run_together(comm, [&] {
    for (std::size_t i = 0; i < files.size(); ++i) {
      checksums[i] = write_part(comm, folder / files[i].name, images[i]);
      if (!first) continue;
      manifest.files[files[i].name] = {
          images[i].size(), hash_of(images[i]), {}};
    }
  });
  checksums = gather_checksums(comm, checksums);
  run_together(comm, [&] {
    for (std::size_t i = 0; i < files.size(); ++i) {
      manifest.files[files[i].name].crc32 = checksums[i];
    }
    save.commit(state, manifest);
    save.remove_others();
  });
  return folder;
}

void remove_other_checkpoints(Communicator& comm, const fs::path& checkpoint) {
  run_together(comm, [&] {
    if (comm.rank() == 0) remove_except(checkpoint, "");
  });
}

}  // namespace sono
