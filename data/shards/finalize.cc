// finalize_dataset of data/shards/writer.h: shard by shard, so that a million
// samples need no more memory than one shard.

#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "core/atomic_file.h"
#include "core/check.h"
#include "data/shards/writer.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// Renames the shard's tar to its plain name unless another worker has; false
// when there is none under either name.
bool name_plainly(const fs::path& folder, const ShardIndex& index) {
  const fs::path working = working_tar_path(folder, index);
  const fs::path plain = tar_path(folder, index.shard);
  if (::rename(working.c_str(), plain.c_str()) == 0) return true;
  if (errno != ENOENT) throw_file_error(plain, "rename", errno);
  return fs::exists(plain);
}

// shards.jsonl, written beside its place and renamed by `commit`.
class RecordFile {
 public:
  explicit RecordFile(const fs::path& folder)
      : path_(records_path(folder)),
        temporary_(temporary_name(path_)),
        file_(temporary_, std::ios::binary) {
    check("open");
  }
  ~RecordFile() {
    if (!committed_) ::unlink(temporary_.c_str());
  }
  RecordFile(const RecordFile&) = delete;
  RecordFile& operator=(const RecordFile&) = delete;

  void add(const ShardRecord& record) {
    const std::string line = nlohmann::json(record).dump() + "\n";
    hash_.update(line);
    file_ << line;
    check("write");
  }
  // The SHA-256 of the file.
  std::string commit() {
    file_.close();
    check("write");
    commit_file(temporary_, path_);
    committed_ = true;
    return hash_.hex();
  }

 private:
  // errno is that of the call that has just failed.
  void check(const char* what) const {
    if (!file_) throw_file_error(path_, what, errno);
  }

  fs::path path_, temporary_;
  std::ofstream file_;
  Sha256 hash_;
  bool committed_ = false;
};

// One shard of the whole: its plain name, its record and its share of the
// totals. Empty, or what is wrong with it.
std::string add_shard(const fs::path& folder, const DatasetPlan& plan,
                      std::int64_t shard, RecordFile& records,
                      SamplesHash& hash, Manifest& manifest) {
  const fs::path path = index_path(folder, shard);
  try {
    const std::string bytes = read_file(path);
    const ShardIndex index = parse_index(bytes, path.string());
    if (index.shard != shard ||
        index.first_sample != plan.first_sample(shard) ||
        static_cast<std::int64_t>(index.samples.size()) !=
            plan.samples_in(shard)) {
      return path.string() + ": damaged (the index of another shard)";
    }
    if (!name_plainly(folder, index)) {
      return tar_path(folder, shard).string() + ": missing";
    }
    records.add(record_of(index, bytes));
    hash.add(index);
    manifest.accepted += index.accepted();
    for (const auto& [kind, number] : index.rejected()) {
      manifest.rejected[kind] += number;
    }
    return "";
  } catch (const DataError& error) {
    return error.what();
  }
}

void complete(const fs::path& folder, const DatasetPlan& plan) {
  const auto missing = missing_shards(folder, plan);
  if (!missing.empty()) {
    throw DataError(index_path(folder, missing.front()).string() +
                    ": missing; " + std::to_string(missing.size()) + " of " +
                    std::to_string(plan.num_shards()) +
                    " shards are not made yet");
  }
  Manifest manifest;
  manifest.plan = plan;
  RecordFile records(folder);
  SamplesHash hash;
  std::string problems;
  for (std::int64_t shard = 0; shard < plan.num_shards(); ++shard) {
    const std::string problem =
        add_shard(folder, plan, shard, records, hash, manifest);
    if (problem.empty()) continue;
    if (dataset_done(folder)) return;  // completed and tidied up under us
    std::error_code ignored;
    fs::remove(index_path(folder, shard), ignored);
    problems += problem + "\n";
  }
  if (!problems.empty()) {
    throw DataError(problems +
                    "run the command again to make these shards anew");
  }
  sync_folder(folder);
  manifest.shards_sha256 = records.commit();
  manifest.dataset_hash = hash.hex();
  write_file_atomic(manifest_path(folder), sealed(nlohmann::json(manifest)));
}

}  // namespace

void remove_leftovers(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(folder, ignored)) {
    const std::string name = file.path().filename().string();
    const bool temporary = name.starts_with(".") && name.ends_with(".tmp");
    const std::string ending = file.path().extension().string();
    const bool plain = (ending == ".tar" || ending == ".index") &&
                       file.path().stem().extension().empty();
    if (temporary || (name.starts_with("shard-") && !plain)) {
      fs::remove(file.path(), ignored);
    }
  }
}

Manifest finalize_dataset(const fs::path& folder, const DatasetPlan& plan) {
  open_dataset(folder, plan);
  if (!dataset_done(folder)) {
    try {
      complete(folder, plan);
    } catch (const DataError&) {
      // Another worker may have completed the set and tidied up under us.
      if (!dataset_done(folder)) throw;
    }
  }
  remove_leftovers(folder);
  auto manifest = read_manifest(folder);
  SONO_CHECK(manifest, manifest_path(folder) << " vanished");
  return *std::move(manifest);
}

}  // namespace sono
