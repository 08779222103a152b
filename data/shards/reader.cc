#include "data/shards/reader.h"

#include <algorithm>

#include "core/check.h"
#include "data/image_file.h"
#include "data/shards/tar_file.h"

namespace sono {

namespace fs = std::filesystem;

struct ShardReader::OpenShard {
  OpenShard(ShardIndex whole, std::vector<std::int32_t> positions,
            const fs::path& path)
      : index(std::move(whole)), accepted(std::move(positions)), tar(path) {}
  ShardIndex index;
  std::vector<std::int32_t> accepted;  // positions in the shard
  TarFile tar;
};

ShardReader::ShardReader(fs::path folder, int open_shards)
    : folder_(std::move(folder)),
      most_open_(static_cast<std::size_t>(std::max(1, open_shards))) {
  auto manifest = read_manifest(folder_);
  if (!manifest) {
    throw DataError(manifest_path(folder_).string() +
                    ": missing; the data set is unfinished or its manifest is "
                    "lost, run its generation again");
  }
  manifest_ = *std::move(manifest);
}

ShardReader::~ShardReader() = default;

std::shared_ptr<const ShardReader::OpenShard> ShardReader::open(
    std::int64_t shard) const {
  {
    const std::lock_guard lock(mutex_);
    const auto known = std::find_if(
        open_.begin(), open_.end(),
        [&](const auto& candidate) { return candidate->index.shard == shard; });
    if (known != open_.end()) {
      open_.splice(open_.begin(), open_, known);
      return open_.front();
    }
  }
  auto index = read_index(folder_, shard);
  const auto path = index_path(folder_, shard).string();
  if (!index) {
    throw DataError(path + ": missing; `sonoforge verify --mend " +
                    folder_.string() + "` makes it again");
  }
  if (index->first_sample != manifest_.plan.first_sample(shard) ||
      static_cast<std::int64_t>(index->samples.size()) !=
          manifest_.plan.samples_in(shard)) {
    throw DataError(path + ": damaged (the index of another data set)");
  }
  std::vector<std::int32_t> accepted;
  for (std::size_t k = 0; k < index->samples.size(); ++k) {
    if (index->samples[k].verdict == 0) {
      accepted.push_back(static_cast<std::int32_t>(k));
    }
  }
  auto opened = std::make_shared<const OpenShard>(
      *std::move(index), std::move(accepted), tar_path(folder_, shard));
  const std::lock_guard lock(mutex_);
  open_.push_front(opened);
  if (open_.size() > most_open_) open_.pop_back();
  return opened;
}

std::shared_ptr<const ShardReader::OpenShard> ShardReader::shard_of(
    std::int64_t sample) const {
  SONO_CHECK(sample >= 0 && sample < size(),
             "sample " << sample << " of " << size());
  return open(sample / manifest_.plan.samples_per_shard);
}

SampleEntry ShardReader::entry(std::int64_t sample) const {
  const auto shard = shard_of(sample);
  return shard->index
      .samples[static_cast<std::size_t>(sample - shard->index.first_sample)];
}

std::int64_t ShardReader::accepted_in(std::int64_t shard,
                                      std::int64_t k) const {
  const auto opened = open(shard);
  if (k < 0 || k >= static_cast<std::int64_t>(opened->accepted.size())) {
    throw DataError(index_path(folder_, shard).string() +
                    ": accepts fewer samples than shards.jsonl says; run "
                    "`sonoforge verify --mend " +
                    folder_.string() + "`");
  }
  return opened->index.first_sample +
         opened->accepted[static_cast<std::size_t>(k)];
}

ShardSample ShardReader::read(std::int64_t sample) const {
  const auto shard = shard_of(sample);
  const SampleEntry& where = shard->index.samples[static_cast<std::size_t>(
      sample - shard->index.first_sample)];
  const std::string key = sample_key(sample);
  const std::string path = shard->tar.path().string() + "/" + key;
  const SampleBytes bytes = shard->tar.read(where, key);
  ShardSample result;
  result.key = key;
  result.image = decode_image(bytes.image, path + ".image.png");
  result.mask = decode_image(bytes.mask, path + ".mask.png");
  try {
    result.provenance = nlohmann::json::parse(bytes.provenance);
  } catch (const nlohmann::json::exception& error) {
    throw DataError(path + ".json: " + error.what());
  }
  return result;
}

void ShardReader::read_ahead(std::int64_t shard) const {
  open(shard)->tar.read_ahead();
}

AcceptedSamples::AcceptedSamples(const ShardReader& reader) {
  RecordReader records(reader.folder());
  const fs::path path = records_path(reader.folder());
  if (sha256_file(path) != reader.manifest().shards_sha256) {
    throw DataError(path.string() +
                    ": damaged (wrong SHA-256); `sonoforge verify --mend " +
                    reader.folder().string() + "` makes it again");
  }
  while (const auto record = records.next()) {
    ends_.push_back(size() + record->accepted);
  }
}

std::int64_t AcceptedSamples::sample(const ShardReader& reader,
                                     std::int64_t k) const {
  SONO_CHECK(k >= 0 && k < size(), "accepted sample " << k << " of " << size());
  const auto shard = std::upper_bound(ends_.begin(), ends_.end(), k);
  const std::int64_t before = shard == ends_.begin() ? 0 : *(shard - 1);
  return reader.accepted_in(shard - ends_.begin(), k - before);
}

std::int64_t AcceptedSamples::in_shard(std::int64_t shard) const {
  const auto k = static_cast<std::size_t>(shard);
  return ends_.at(k) - (k == 0 ? 0 : ends_[k - 1]);
}

}  // namespace sono
