#include "data/shards/reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/atomic_file.h"
#include "core/check.h"
#include "core/hash.h"
#include "data/image_file.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// An open shard.
class TarFile {
 public:
  explicit TarFile(fs::path path)
      : path_(std::move(path)),
        fd_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) throw_file_error(path_, "open", errno);
  }
  ~TarFile() { ::close(fd_); }
  TarFile(const TarFile&) = delete;
  TarFile& operator=(const TarFile&) = delete;

  std::string read(const MemberEntry& member, const std::string& name) const {
    std::string bytes(static_cast<std::size_t>(member.size_bytes), '\0');
    std::size_t filled = 0;
    while (filled < bytes.size()) {
      const ssize_t got =
          ::pread(fd_, bytes.data() + filled, bytes.size() - filled,
                  member.offset + static_cast<std::int64_t>(filled));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_file_error(path_, "read", errno);
      if (got == 0) throw DataError(path_.string() + ": truncated in " + name);
      filled += static_cast<std::size_t>(got);
    }
    if (crc32(bytes.data(), bytes.size()) != member.crc) {
      throw DataError(path_.string() + ": " + name +
                      " is damaged (wrong checksum)");
    }
    return bytes;
  }

 private:
  fs::path path_;
  int fd_;
};

// Reads every member; the message of the first that is bad, or none.
std::string first_bad_member(const fs::path& path, const ShardEntry& entry) {
  try {
    const TarFile tar(path);
    for (const auto& sample : entry.samples) {
      tar.read(sample.image, sample.key + ".image.png");
      tar.read(sample.mask, sample.key + ".mask.png");
      tar.read(sample.provenance, sample.key + ".json");
    }
  } catch (const DataError& error) {
    return error.what();
  }
  return path.string() + ": changed outside its members (wrong SHA-256)";
}

// The shard's tar against its entry; empty when whole.
std::string shard_problem(const fs::path& path, const ShardEntry& entry) {
  std::error_code code;
  const auto size_bytes = fs::file_size(path, code);
  if (code) return path.string() + ": missing";
  if (static_cast<std::int64_t>(size_bytes) != entry.tar_size_bytes) {
    return path.string() + ": " + std::to_string(size_bytes) +
           " bytes instead of " + std::to_string(entry.tar_size_bytes) +
           (static_cast<std::int64_t>(size_bytes) < entry.tar_size_bytes
                ? " (truncated)"
                : "");
  }
  if (sha256_file(path) == entry.tar_sha256) return "";
  return first_bad_member(path, entry);
}

// Puts a finished data set back to "all but these shards are done".
void reopen(const fs::path& folder, const Manifest& manifest,
            const std::vector<std::int64_t>& damaged) {
  for (const auto& entry : manifest.shards) {
    if (std::find(damaged.begin(), damaged.end(), entry.shard) ==
        damaged.end()) {
      write_file_atomic(entry_path(folder, entry.shard),
                        sealed(nlohmann::json(entry)));
    }
  }
  fs::remove(manifest_path(folder));
  for (const auto shard : damaged) fs::remove(tar_path(folder, shard));
}

}  // namespace

ShardReader::ShardReader(fs::path folder) : folder_(std::move(folder)) {
  auto manifest = read_manifest(folder_);
  if (!manifest) {
    throw DataError(manifest_path(folder_).string() +
                    ": missing; the data set is unfinished or its index is "
                    "lost, run its generation again");
  }
  manifest_ = *std::move(manifest);
}

const SampleEntry& ShardReader::entry(std::int64_t sample) const {
  SONO_CHECK(sample >= 0 && sample < size(),
             "sample " << sample << " of " << size());
  const auto per_shard = manifest_.plan.samples_per_shard;
  return manifest_.shards[static_cast<std::size_t>(sample / per_shard)]
      .samples[static_cast<std::size_t>(sample % per_shard)];
}

ShardSample ShardReader::read(std::int64_t sample) const {
  const SampleEntry& where = entry(sample);
  const fs::path path =
      tar_path(folder_, sample / manifest_.plan.samples_per_shard);
  const TarFile tar(path);
  const std::string image_name = where.key + ".image.png";
  const std::string mask_name = where.key + ".mask.png";
  ShardSample result;
  result.key = where.key;
  result.image = decode_image(tar.read(where.image, image_name),
                              path.string() + "/" + image_name);
  result.mask = decode_image(tar.read(where.mask, mask_name),
                             path.string() + "/" + mask_name);
  result.provenance =
      nlohmann::json::parse(tar.read(where.provenance, where.key + ".json"));
  return result;
}

std::vector<DatasetProblem> check_dataset(const fs::path& folder) {
  std::optional<Manifest> manifest;
  try {
    manifest = read_manifest(folder);
  } catch (const DataError& error) {
    return {{-1, error.what()}};
  }
  if (!manifest) {
    return {{-1, manifest_path(folder).string() +
                     ": missing; the data set is unfinished or its index is "
                     "lost"}};
  }
  std::vector<DatasetProblem> problems;
  for (const auto& entry : manifest->shards) {
    auto problem = shard_problem(tar_path(folder, entry.shard), entry);
    if (!problem.empty()) problems.push_back({entry.shard, std::move(problem)});
  }
  return problems;
}

void verify_dataset(const fs::path& folder) {
  const auto problems = check_dataset(folder);
  if (problems.empty()) return;
  std::string text;
  for (const auto& problem : problems) text += problem.message + "\n";
  throw DataError(text + "mend with `sonoforge verify --mend " +
                  folder.string() + "`, then run its generation again");
}

std::vector<std::int64_t> mend_dataset(const fs::path& folder) {
  std::vector<std::int64_t> damaged;
  for (const auto& problem : check_dataset(folder)) {
    if (problem.shard < 0) {
      fs::remove(manifest_path(folder));
      return {};
    }
    damaged.push_back(problem.shard);
  }
  if (!damaged.empty()) reopen(folder, *read_manifest(folder), damaged);
  return damaged;
}

}  // namespace sono
