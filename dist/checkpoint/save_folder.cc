#include "dist/checkpoint/save_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/atomic_file.h"

namespace fs = std::filesystem;

namespace sono {

BlockFile::BlockFile(fs::path path, int flags)
    : path_(std::move(path)),
      fd_(::open(path_.c_str(), flags | O_CLOEXEC, 0666)) {
  if (fd_ < 0) throw_file_error(path_, "open", errno);
}

BlockFile BlockFile::create(const fs::path& path) {
  return {path, O_WRONLY | O_CREAT | O_TRUNC};
}

BlockFile BlockFile::open(const fs::path& path) { return {path, O_WRONLY}; }

BlockFile::~BlockFile() { ::close(fd_); }

void BlockFile::resize(std::int64_t bytes) {
  if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) {
    throw_file_error(path_, "resize", errno);
  }
}

void BlockFile::write_at(std::int64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count =
        ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_file_error(path_, "write", errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += count;
  }
}

void BlockFile::sync() {
  if (::fsync(fd_) != 0) throw_file_error(path_, "fsync", errno);
}

SaveFolder::SaveFolder(fs::path folder, bool active)
    : folder_(std::move(folder)), active_(active) {}

void SaveFolder::create(const std::vector<FileLayout>& files) {
  if (!active_) return;
  // The manifest first: without it the folder counts as unfinished.
  std::error_code ignored;
  fs::remove(folder_ / "manifest.json", ignored);
  fs::remove_all(folder_, ignored);
  make_directories(folder_);
  for (const FileLayout& file : files) {
    BlockFile::create(folder_ / file.name).resize(file.bytes);
  }
}

void SaveFolder::commit(const CheckpointState& state,
                        CheckpointManifest manifest) {
  if (!active_) return;
  const std::string text = state.to_json().dump(2) + "\n";
  write_file_atomic(folder_ / "state.json", text);
  manifest.files["state.json"] =
      ManifestFile::from_blocks(text.size(), {block_sum(text)});
  write_file_atomic(folder_ / "manifest.json",
                    manifest.to_json().dump(1) + "\n");
  done_ = true;
  sync_folder(folder_.parent_path());
}

void SaveFolder::discard() {
  std::error_code ignored;
  if (active_ && !done_) fs::remove_all(folder_, ignored);
}

void SaveFolder::remove_others() const {
  if (!active_) return;
  const auto all = list_checkpoints(folder_.parent_path());  // newest first
  auto before = std::find(all.begin(), all.end(), folder_);
  if (before != all.end()) ++before;
  const std::string previous =
      before == all.end() ? "" : before->filename().string();
  remove_checkpoints_beside(folder_, previous);
}

void remove_checkpoints_beside(const fs::path& kept,
                               const std::string& also_kept) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(kept.parent_path())) {
    const std::string other = entry.path().filename().string();
    if (other.starts_with("step-") && other != kept.filename().string() &&
        other != also_kept) {
      // The manifest goes first: a half-removed checkpoint is none.
      fs::remove(entry.path() / "manifest.json", ignored);
      fs::remove_all(entry.path(), ignored);
    }
  }
}

}  // namespace sono
