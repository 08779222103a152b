#include "data/shards/writer.h"

#include <charconv>
#include <string_view>

#include "core/atomic_file.h"
#include "core/check.h"
#include "core/hash.h"
#include "core/log.h"
#include "data/formats/grey_png.h"
#include "data/shards/tar.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

void hash_pixels(Sha256& hash, const cv::Mat& image) {
  const std::string shape = std::to_string(image.type()) + " " +
                            std::to_string(image.rows) + " " +
                            std::to_string(image.cols) + "\n";
  hash.update(shape);
  for (int y = 0; y < image.rows; ++y) {
    hash.update(image.ptr(y), image.cols * image.elemSize());
  }
}

MemberEntry add_member(TarWriter& tar, const std::string& name,
                       std::string_view bytes) {
  return {tar.add(name, bytes), static_cast<std::int64_t>(bytes.size()),
          crc32(bytes.data(), bytes.size())};
}

MemberEntry add_image(TarWriter& tar, const std::string& name,
                      const cv::Mat& image) {
  const auto png = encode_grey_png(image);
  return add_member(tar, name,
                    {reinterpret_cast<const char*>(png.data()), png.size()});
}

SampleEntry add_sample(TarWriter& tar, const ShardSample& sample,
                       ShardIndex& index) {
  SampleEntry entry;
  entry.hash = sample_digest(sample);
  entry.image = add_image(tar, sample.key + ".image.png", sample.image);
  entry.mask = add_image(tar, sample.key + ".mask.png", sample.mask);
  entry.provenance =
      add_member(tar, sample.key + ".json", sample.provenance.dump());
  set_verdict(entry, sample.provenance, index);
  return entry;
}

void check_samples(const DatasetPlan& plan, std::int64_t shard,
                   const std::vector<ShardSample>& samples) {
  SONO_CHECK(shard >= 0 && shard < plan.num_shards(),
             "shard " << shard << " of " << plan.num_shards());
  SONO_CHECK_EQ(static_cast<std::int64_t>(samples.size()),
                plan.samples_in(shard));
  for (std::size_t k = 0; k < samples.size(); ++k) {
    SONO_CHECK_EQ(samples[k].key, sample_key(plan.first_sample(shard) +
                                             static_cast<std::int64_t>(k)));
    SONO_CHECK(samples[k].image.type() == CV_8UC1 &&
                   samples[k].mask.type() == CV_8UC1 &&
                   !samples[k].image.empty() &&
                   samples[k].image.size() == samples[k].mask.size(),
               "sample " << samples[k].key << ": image and mask must be grey, "
                         << "8 bits, of one size");
  }
}

// The index on disk; a damaged one counts as missing, it will be made again.
std::optional<ShardIndex> whole_index(const fs::path& folder,
                                      std::int64_t shard) {
  try {
    return read_index(folder, shard);
  } catch (const DataError& error) {
    spdlog::warn("{}; making the shard again", error.what());
    return std::nullopt;
  }
}

bool has_tar(const fs::path& folder, const ShardIndex& index) {
  return fs::exists(working_tar_path(folder, index)) ||
         fs::exists(tar_path(folder, index.shard));
}

void check_same_samples(const fs::path& folder, const ShardIndex& ours,
                        const ShardIndex& theirs) {
  for (std::size_t k = 0; k < ours.samples.size(); ++k) {
    if (k < theirs.samples.size() &&
        ours.samples[k].hash == theirs.samples[k].hash) {
      continue;
    }
    throw DataError(
        index_path(folder, ours.shard).string() +
        ": another worker made other pixels for sample " +
        sample_key(ours.first_sample + static_cast<std::int64_t>(k)) +
        "; use workers of one kind of machine, or a new folder");
  }
}

// Our tar stands, but an index was there first.
void settle_with_other(const fs::path& folder, const ShardIndex& ours) {
  const auto theirs = whole_index(folder, ours.shard);
  if (theirs) check_same_samples(folder, ours, *theirs);
  if (!shard_done(folder, ours.shard)) {  // damaged, or its tar is gone
    write_file_atomic(index_path(folder, ours.shard), serialize(ours));
  } else if (theirs && theirs->tar_sha256 != ours.tar_sha256) {
    fs::remove(working_tar_path(folder, ours));
  }
}

// The number in "shard-000012" + `ending`, for any ending that begins with a
// point; -1 when the name is another.
std::int64_t shard_of(std::string_view name) {
  constexpr std::string_view kStart = "shard-";
  if (!name.starts_with(kStart)) return -1;
  name.remove_prefix(kStart.size());
  std::int64_t shard = -1;
  const auto [end, error] =
      std::from_chars(name.data(), name.data() + name.size(), shard);
  const bool whole = error == std::errc() && end != name.data() + name.size();
  return whole && *end == '.' ? shard : -1;
}

}  // namespace

Sha256Digest sample_digest(const ShardSample& sample) {
  Sha256 hash;
  hash.update(sample.key + "\n");
  hash_pixels(hash, sample.image);
  hash_pixels(hash, sample.mask);
  hash.update(sample.provenance.dump());
  return hash.digest();
}

std::string sample_hash(const ShardSample& sample) {
  return to_hex(sample_digest(sample));
}

void open_dataset(const fs::path& folder, const DatasetPlan& plan) {
  plan.validate();
  make_directories(folder);
  if (!fs::exists(plan_path(folder)) &&
      create_file_atomic(plan_path(folder), sealed(nlohmann::json(plan)))) {
    return;
  }
  const auto theirs = read_plan(folder);
  SONO_CHECK(theirs, plan_path(folder) << " vanished");
  if (*theirs == plan) return;
  throw ConfigError(folder.string() + ": holds another data set (made by " +
                    nlohmann::json(*theirs).dump() + ", asked for " +
                    nlohmann::json(plan).dump() +
                    "); choose another --out or remove the folder");
}

bool shard_done(const fs::path& folder, std::int64_t shard) {
  if (dataset_done(folder)) return true;
  const auto index = whole_index(folder, shard);
  // The tar may have been renamed, and the set completed, since we looked.
  return index && (has_tar(folder, *index) || dataset_done(folder));
}

bool dataset_done(const fs::path& folder) {
  return fs::exists(manifest_path(folder));
}

std::vector<std::int64_t> missing_shards(const fs::path& folder,
                                         const DatasetPlan& plan) {
  std::vector<std::int64_t> missing;
  if (dataset_done(folder)) return missing;
  const auto num_shards = static_cast<std::size_t>(plan.num_shards());
  std::vector<bool> indexes(num_shards), tars(num_shards);
  for (const auto& file : fs::directory_iterator(folder)) {
    const std::string name = file.path().filename().string();
    const std::int64_t shard = shard_of(name);
    if (shard < 0 || shard >= plan.num_shards()) continue;
    if (name.ends_with(".index"))
      indexes[static_cast<std::size_t>(shard)] = true;
    if (name.ends_with(".tar")) tars[static_cast<std::size_t>(shard)] = true;
  }
  // Another worker may have completed the set while we read the list.
  if (dataset_done(folder)) return missing;
  for (std::size_t k = 0; k < num_shards; ++k) {
    if (!indexes[k] || !tars[k]) {
      missing.push_back(static_cast<std::int64_t>(k));
    }
  }
  return missing;
}

void commit_shard(const fs::path& folder, const DatasetPlan& plan,
                  std::int64_t shard, const std::vector<ShardSample>& samples) {
  check_samples(plan, shard, samples);
  if (shard_done(folder, shard)) return;
  TarWriter tar;
  ShardIndex index;
  index.shard = shard;
  index.first_sample = plan.first_sample(shard);
  for (const auto& sample : samples) {
    index.samples.push_back(add_sample(tar, sample, index));
  }
  const std::string bytes = tar.finish();
  index.tar_sha256 = sha256(bytes);
  index.tar_size_bytes = static_cast<std::int64_t>(bytes.size());
  try {
    write_file_atomic(working_tar_path(folder, index), bytes);
    if (!create_file_atomic(index_path(folder, shard), serialize(index))) {
      settle_with_other(folder, index);
    }
  } catch (const DataError&) {
    // Another worker may have completed the set and tidied up under us.
    if (!dataset_done(folder)) throw;
  }
  if (dataset_done(folder)) remove_leftovers(folder);
}

}  // namespace sono
