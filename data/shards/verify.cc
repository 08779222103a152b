#include "data/shards/verify.h"

#include "core/atomic_file.h"
#include "core/error.h"
#include "data/shards/manifest.h"
#include "data/shards/tar_file.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// Reads every member; the message of the first that is bad.
std::string first_bad_member(const fs::path& path, const ShardIndex& index) {
  try {
    const TarFile tar(path);
    for (std::size_t k = 0; k < index.samples.size(); ++k) {
      tar.read(index.samples[k],
               sample_key(index.first_sample + static_cast<std::int64_t>(k)));
    }
  } catch (const DataError& error) {
    return error.what();
  }
  return path.string() + ": changed outside its members (wrong SHA-256)";
}

// The shard's tar against its hash; empty when whole.
std::string tar_problem(const fs::path& path, const std::string& sha256,
                        std::int64_t size_bytes,
                        const std::optional<ShardIndex>& index) {
  std::error_code code;
  const auto found = fs::file_size(path, code);
  if (code) return path.string() + ": missing";
  if (static_cast<std::int64_t>(found) != size_bytes) {
    return path.string() + ": " + std::to_string(found) + " bytes instead of " +
           std::to_string(size_bytes) +
           (static_cast<std::int64_t>(found) < size_bytes ? " (truncated)"
                                                          : "");
  }
  if (sha256_file(path) == sha256) return "";
  if (!index) return path.string() + ": damaged (wrong SHA-256)";
  return first_bad_member(path, *index);
}

// The index on the disk; none, and why in `problem`, when it is not the one
// that `record` names.
std::optional<ShardIndex> checked_index(const fs::path& folder,
                                        std::int64_t shard,
                                        const ShardRecord* record,
                                        std::string& problem) {
  const fs::path path = index_path(folder, shard);
  try {
    auto index = read_index(folder, shard);
    if (!index) {
      problem = path.string() + ": missing";
    } else if (record != nullptr && sha256_file(path) != record->index_sha256) {
      problem = path.string() + ": damaged (wrong SHA-256)";
    } else {
      return index;
    }
  } catch (const DataError& error) {
    problem = error.what();
  }
  return std::nullopt;
}

fs::path present_tar(const fs::path& folder, std::int64_t shard,
                     const std::optional<ShardIndex>& index) {
  if (index && fs::exists(working_tar_path(folder, *index))) {
    return working_tar_path(folder, *index);
  }
  return tar_path(folder, shard);
}

void check_shard(const fs::path& folder, std::int64_t shard,
                 const ShardRecord* record,
                 std::vector<DatasetProblem>& problems) {
  std::string index_problem;
  const auto index = checked_index(folder, shard, record, index_problem);
  const fs::path tar = present_tar(folder, shard, index);
  if (record == nullptr && !index) {
    // Not made yet, unless there are files of it.
    if (fs::exists(index_path(folder, shard)) || fs::exists(tar)) {
      problems.push_back({shard, index_problem});
    }
    return;
  }
  const auto problem = tar_problem(
      tar, record != nullptr ? record->tar_sha256 : to_hex(index->tar_sha256),
      record != nullptr ? record->tar_size_bytes : index->tar_size_bytes,
      index);
  if (!index_problem.empty()) {
    problems.push_back(
        {shard, index_problem, problem.empty() ? record->index_sha256 : ""});
  }
  if (!problem.empty()) problems.push_back({shard, problem});
}

// A file of the data set as a whole; none, with a problem noted, when it is not
// to be had.
template <class Read>
auto checked_file(const fs::path& path, Read read, const char* when_missing,
                  std::vector<DatasetProblem>& problems) {
  decltype(read()) value;
  try {
    value = read();
    if (!value) problems.push_back({-1, path.string() + when_missing});
  } catch (const DataError& error) {
    problems.push_back({-1, error.what()});
  }
  return value;
}

bool records_are_whole(const fs::path& folder, const Manifest& manifest,
                       std::vector<DatasetProblem>& problems) {
  const fs::path path = records_path(folder);
  std::string problem;
  if (!fs::exists(path)) {
    problem = ": missing";
  } else if (sha256_file(path) != manifest.shards_sha256) {
    problem = ": damaged (wrong SHA-256)";
  }
  if (!problem.empty()) problems.push_back({-1, path.string() + problem});
  return problem.empty();
}

}  // namespace

std::vector<DatasetProblem> check_dataset(const fs::path& folder) {
  std::vector<DatasetProblem> problems;
  auto plan = checked_file(
      plan_path(folder), [&] { return read_plan(folder); }, ": missing",
      problems);
  const auto manifest = checked_file(
      manifest_path(folder), [&] { return read_manifest(folder); },
      ": missing; the data set is unfinished or its manifest is lost",
      problems);
  if (!plan && manifest) plan = manifest->plan;
  if (!plan) return problems;
  std::optional<RecordReader> records;
  if (manifest && records_are_whole(folder, *manifest, problems)) {
    records.emplace(folder);
  }
  for (std::int64_t shard = 0; shard < plan->num_shards(); ++shard) {
    const auto record = records ? records->next() : std::nullopt;
    check_shard(folder, shard, record ? &*record : nullptr, problems);
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

}  // namespace sono
