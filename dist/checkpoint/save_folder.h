#pragma once
// The folder of a checkpoint that is being written, and its files.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "dist/checkpoint/file_layout.h"
#include "dist/checkpoint/manifest.h"

namespace sono {

// A file that several ranks fill, each its own bytes. Errors name the path;
// a full disk is a ResourceError.
class BlockFile {
 public:
  static BlockFile create(const std::filesystem::path& path);
  static BlockFile open(const std::filesystem::path& path);
  ~BlockFile();
  BlockFile(const BlockFile&) = delete;
  BlockFile& operator=(const BlockFile&) = delete;

  void resize(std::int64_t bytes);
  void write_at(std::int64_t offset, std::string_view bytes);
  void sync();

 private:
  BlockFile(std::filesystem::path path, int flags);
  std::filesystem::path path_;
  int fd_;
};

// Rank 0's part of a save; other ranks hold an idle one.
class SaveFolder {
 public:
  SaveFolder(std::filesystem::path folder, bool active);
  ~SaveFolder() { discard(); }
  SaveFolder(const SaveFolder&) = delete;
  SaveFolder& operator=(const SaveFolder&) = delete;

  const std::filesystem::path& path() const { return folder_; }

  // The folder with files of the right sizes.
  void create(const std::vector<FileLayout>& files);
  // Writes state.json, then manifest.json by rename: from here on it counts.
  void commit(const CheckpointState& state, CheckpointManifest manifest);
  // Removes an unfinished folder, so that a full disk has room again.
  void discard();
  // Keeps this checkpoint and the newest whole one before it.
  void remove_others() const;

 private:
  std::filesystem::path folder_;
  bool active_;
  bool done_ = false;
};

// Removes the checkpoints beside `kept`, but for the one named `also_kept`.
void remove_checkpoints_beside(const std::filesystem::path& kept,
                               const std::string& also_kept);

}  // namespace sono
