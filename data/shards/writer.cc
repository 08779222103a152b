#include "data/shards/writer.h"

#include <unistd.h>

#include <cerrno>

#include "core/atomic_file.h"
#include "core/check.h"
#include "core/hash.h"
#include "core/log.h"
#include "data/image_file.h"
#include "data/shards/tar.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// Makes `path` whole, only if it does not exist; false when it does. A hard
// link from a finished file is the exclusive rename that NFS has too.
bool create_file(const fs::path& path, const std::string& bytes) {
  const fs::path temporary = temporary_name(path);
  write_file_atomic(temporary, bytes);
  const bool made = ::link(temporary.c_str(), path.c_str()) == 0;
  const int error_number = errno;
  ::unlink(temporary.c_str());
  if (!made && error_number != EEXIST) {
    throw_file_error(path, "creating the file", error_number);
  }
  return made;
}

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
  const auto png = encode_png(image);
  return add_member(tar, name,
                    {reinterpret_cast<const char*>(png.data()), png.size()});
}

SampleEntry add_sample(TarWriter& tar, const ShardSample& sample) {
  SampleEntry entry;
  entry.key = sample.key;
  entry.hash = sample_hash(sample);
  entry.image = add_image(tar, sample.key + ".image.png", sample.image);
  entry.mask = add_image(tar, sample.key + ".mask.png", sample.mask);
  entry.provenance =
      add_member(tar, sample.key + ".json", sample.provenance.dump());
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

// The entry on disk; a damaged one counts as missing, it will be made again.
std::optional<ShardEntry> whole_entry(const fs::path& folder,
                                      std::int64_t shard) {
  try {
    return read_entry(folder, shard);
  } catch (const DataError& error) {
    spdlog::warn("{}; making the shard again", error.what());
    return std::nullopt;
  }
}

bool has_tar(const fs::path& folder, const ShardEntry& entry) {
  return fs::exists(working_tar_path(folder, entry)) ||
         fs::exists(tar_path(folder, entry.shard));
}

void check_same_samples(const fs::path& folder, const ShardEntry& ours,
                        const ShardEntry& theirs) {
  for (std::size_t k = 0; k < ours.samples.size(); ++k) {
    if (k < theirs.samples.size() &&
        ours.samples[k].hash == theirs.samples[k].hash) {
      continue;
    }
    throw DataError(entry_path(folder, ours.shard).string() +
                    ": another worker made other pixels for sample " +
                    ours.samples[k].key +
                    "; use workers of one kind of machine, or a new folder");
  }
}

// Our tar stands, but an entry was there first.
void settle_with_other(const fs::path& folder, const ShardEntry& ours) {
  const auto theirs = whole_entry(folder, ours.shard);
  if (theirs) check_same_samples(folder, ours, *theirs);
  if (!shard_done(folder, ours.shard)) {  // damaged, or its tar is gone
    write_file_atomic(entry_path(folder, ours.shard),
                      sealed(nlohmann::json(ours)));
  } else if (theirs && theirs->tar_sha256 != ours.tar_sha256) {
    fs::remove(working_tar_path(folder, ours));
  }
}

// Renames the shard's tar to its plain name unless another worker has.
void name_plainly(const fs::path& folder, const ShardEntry& entry) {
  const fs::path working = working_tar_path(folder, entry);
  const fs::path plain = tar_path(folder, entry.shard);
  if (::rename(working.c_str(), plain.c_str()) == 0) return;
  if (errno != ENOENT) throw_file_error(plain, "rename", errno);
  if (!fs::exists(plain)) {
    throw DataError(plain.string() + ": missing; run the command again");
  }
}

// Entries, other workers' tars and temporaries that a kill left behind.
void remove_leftovers(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(folder, ignored)) {
    const std::string name = file.path().filename().string();
    const bool temporary = name.starts_with(".") && name.ends_with(".tmp");
    const bool plain = file.path().extension() == ".tar" &&
                       file.path().stem().extension().empty();
    if (temporary || (name.starts_with("shard-") && !plain)) {
      fs::remove(file.path(), ignored);
    }
  }
}

// Plain names for all shards, then the manifest.
void complete(const fs::path& folder, const DatasetPlan& plan) {
  Manifest manifest{.plan = plan, .dataset_hash = "", .shards = {}};
  for (std::int64_t shard = 0; shard < plan.num_shards(); ++shard) {
    auto entry = read_entry(folder, shard);
    if (!entry) {
      throw DataError(entry_path(folder, shard).string() +
                      ": missing; the shard is not made yet");
    }
    manifest.shards.push_back(*std::move(entry));
  }
  for (const auto& entry : manifest.shards) name_plainly(folder, entry);
  manifest.dataset_hash = dataset_hash(manifest.shards);
  write_file_atomic(manifest_path(folder), sealed(nlohmann::json(manifest)));
}

}  // namespace

std::string sample_hash(const ShardSample& sample) {
  Sha256 hash;
  hash.update(sample.key + "\n");
  hash_pixels(hash, sample.image);
  hash_pixels(hash, sample.mask);
  hash.update(sample.provenance.dump());
  return hash.hex();
}

void open_dataset(const fs::path& folder, const DatasetPlan& plan) {
  plan.validate();
  make_directories(folder);
  if (!fs::exists(plan_path(folder)) &&
      create_file(plan_path(folder), sealed(nlohmann::json(plan)))) {
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
  // The entry first: it vanishes only after the manifest stands.
  const auto entry = whole_entry(folder, shard);
  return (entry && has_tar(folder, *entry)) || dataset_done(folder);
}

bool dataset_done(const fs::path& folder) {
  return fs::exists(manifest_path(folder));
}

void commit_shard(const fs::path& folder, const DatasetPlan& plan,
                  std::int64_t shard, const std::vector<ShardSample>& samples) {
  check_samples(plan, shard, samples);
  if (shard_done(folder, shard)) return;
  TarWriter tar;
  ShardEntry entry;
  entry.shard = shard;
  for (const auto& sample : samples) {
    entry.samples.push_back(add_sample(tar, sample));
  }
  const std::string bytes = tar.finish();
  entry.tar_sha256 = sha256_hex(bytes);
  entry.tar_size_bytes = static_cast<std::int64_t>(bytes.size());
  try {
    write_file_atomic(working_tar_path(folder, entry), bytes);
    if (!create_file(entry_path(folder, shard),
                     sealed(nlohmann::json(entry)))) {
      settle_with_other(folder, entry);
    }
  } catch (const DataError&) {
    // Another worker may have completed the set and tidied up under us.
    if (!dataset_done(folder)) throw;
  }
  if (dataset_done(folder)) remove_leftovers(folder);
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
