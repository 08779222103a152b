// mend_dataset of data/shards/verify.h.

#include <algorithm>
#include <set>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/log.h"
#include "data/image_file.h"
#include "data/shards/tar.h"
#include "data/shards/verify.h"
#include "data/shards/writer.h"

namespace sono {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

MemberEntry member_of(const TarMember& member) {
  return {member.offset, static_cast<std::int64_t>(member.bytes.size()),
          crc32(member.bytes.data(), member.bytes.size())};
}

// The index that commit_shard would have written beside this tar. DataError
// when the tar does not hold the shard's samples.
ShardIndex index_of_tar(const fs::path& folder, const DatasetPlan& plan,
                        std::int64_t shard) {
  const fs::path path = tar_path(folder, shard);
  const auto members = read_tar(path);
  if (static_cast<std::int64_t>(members.size()) != 3 * plan.samples_in(shard)) {
    throw DataError(path.string() + ": holds another number of files");
  }
  ShardIndex index;
  index.shard = shard;
  index.first_sample = plan.first_sample(shard);
  index.tar_size_bytes = static_cast<std::int64_t>(fs::file_size(path));
  index.tar_sha256 = *digest_from_hex(sha256_file(path));
  for (std::size_t k = 0; k < members.size(); k += 3) {
    ShardSample sample;
    sample.key =
        sample_key(index.first_sample + static_cast<std::int64_t>(k / 3));
    const std::string name = path.string() + "/" + sample.key;
    sample.image = decode_image(members[k].bytes, name + ".image.png");
    sample.mask = decode_image(members[k + 1].bytes, name + ".mask.png");
    try {
      sample.provenance = json::parse(members[k + 2].bytes);
    } catch (const json::exception& error) {
      throw DataError(name + ".json: " + error.what());
    }
    SampleEntry entry;
    entry.hash = sample_digest(sample);
    entry.image = member_of(members[k]);
    entry.mask = member_of(members[k + 1]);
    entry.provenance = member_of(members[k + 2]);
    set_verdict(entry, sample.provenance, index);
    index.samples.push_back(entry);
  }
  return index;
}

bool rebuild_index(const fs::path& folder, const DatasetPlan& plan,
                   const DatasetProblem& problem) {
  try {
    const std::string bytes =
        serialize(index_of_tar(folder, plan, problem.shard));
    if (sha256_hex(bytes) != problem.index_sha256) return false;
    write_file_atomic(index_path(folder, problem.shard), bytes);
    return true;
  } catch (const DataError& error) {
    spdlog::warn("{}", error.what());
    return false;
  }
}

// All files of these shards; their indexes first, which say that they are done.
void remove_shards(const fs::path& folder,
                   const std::set<std::int64_t>& shards) {
  for (const auto shard : shards) fs::remove(index_path(folder, shard));
  std::set<std::string> starts;
  for (const auto shard : shards) starts.insert(tar_path("", shard).stem());
  std::vector<fs::path> files;
  for (const auto& file : fs::directory_iterator(folder)) {
    const std::string name = file.path().filename().string();
    if (starts.contains(name.substr(0, name.find('.')))) {
      files.push_back(file.path());
    }
  }
  for (const auto& file : files) fs::remove(file);
}

// Indexes for the whole tars of a data set of format 1, then the new plan. The
// data set is unfinished afterwards. The old hash, or none when there was no
// such data set or it was unfinished already.
std::string bring_up_to_date(const fs::path& folder) {
  const auto old_plan = read_format_1(plan_path(folder));
  const auto old = read_format_1(manifest_path(folder));
  if (!old_plan && !old) return "";
  const auto plan = (old ? *old : *old_plan).get<DatasetPlan>();
  if (old) {
    for (const auto& entry : old->at("shards")) {
      const auto shard = entry.at("shard").get<std::int64_t>();
      const fs::path tar = tar_path(folder, shard);
      if (fs::exists(tar) &&
          sha256_file(tar) == entry.at("sha256").get<std::string>()) {
        write_file_atomic(index_path(folder, shard),
                          serialize(index_of_tar(folder, plan, shard)));
      }
    }
  }
  write_file_atomic(plan_path(folder), sealed(json(plan)));
  fs::remove(manifest_path(folder));
  return old ? old->at("dataset_hash").get<std::string>() : "";
}

std::string bring_up_to_date_if_old(const fs::path& folder) {
  try {
    return bring_up_to_date(folder);
  } catch (const json::exception& error) {
    throw DataError(folder.string() + ": a damaged data set of format 1 (" +
                    error.what() + "); remove it and make it again");
  } catch (const DataError&) {
    return "";  // damaged: check_dataset names it
  }
}

// The plan as it stands, or as manifest.json has it; none when both are lost.
std::optional<DatasetPlan> surviving_plan(const fs::path& folder) {
  try {
    if (auto plan = read_plan(folder)) return plan;
  } catch (const DataError&) {
    fs::remove(plan_path(folder));
  }
  try {
    const auto manifest = read_manifest(folder);
    if (manifest) return manifest->plan;
  } catch (const DataError&) {
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

MendReport mend_dataset(const fs::path& folder) {
  MendReport report;
  report.problems = check_dataset(folder);
  report.complete = report.problems.empty();
  if (report.complete) return report;
  const std::string old_hash = bring_up_to_date_if_old(folder);
  const auto plan = surviving_plan(folder);
  std::set<std::int64_t> removed;
  bool reopen = false;
  for (const auto& problem : check_dataset(folder)) {
    if (problem.shard < 0) {
      reopen = true;
    } else if (plan && !problem.index_sha256.empty() &&
               rebuild_index(folder, *plan, problem)) {
      report.rebuilt.push_back(problem.shard);
    } else {
      removed.insert(problem.shard);
    }
  }
  report.removed.assign(removed.begin(), removed.end());
  if (reopen || !removed.empty()) {
    fs::remove(manifest_path(folder));
    fs::remove(records_path(folder));
    remove_shards(folder, removed);
  }
  if (!plan) return report;
  open_dataset(folder, *plan);
  report.complete = missing_shards(folder, *plan).empty();
  if (!report.complete) return report;
  const std::string hash = finalize_dataset(folder, *plan).dataset_hash;
  if (!old_hash.empty() && hash != old_hash) {
    throw DataError(folder.string() + ": its samples hash to " + hash +
                    ", not to " + old_hash +
                    " as format 1 said; remove it and make it again");
  }
  return report;
}

}  // namespace sono
