#include "data/shards/shard_index.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>

#include "core/check.h"

namespace sono {
namespace {

static_assert(std::endian::native == std::endian::little,
              "indexes are little-endian");

constexpr std::string_view kMagic = "sonoindx";
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kSealedBytes = 16;  // magic, version, checksum
constexpr std::size_t kRecordBytes = 88;  // of the header too
constexpr std::int64_t kMaxMemberBytes = 1 << 30;

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

void put(std::string& out, const Sha256Digest& digest) {
  out.append(reinterpret_cast<const char*>(digest.data()), digest.size());
}

void put(std::string& out, const MemberEntry& member) {
  put(out, member.offset);
  put(out, static_cast<std::int32_t>(member.size_bytes));
  put(out, member.crc);
}

// Takes fields from the front of bytes that are known to be there.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  T take() {
    T value;
    std::memcpy(&value, bytes_.data(), sizeof(T));
    bytes_.remove_prefix(sizeof(T));
    return value;
  }

  MemberEntry member() {
    MemberEntry member;
    member.offset = take<std::int64_t>();
    member.size_bytes = take<std::int32_t>();
    member.crc = take<std::uint32_t>();
    return member;
  }

 private:
  std::string_view bytes_;
};

bool is_sound(const MemberEntry& member) {
  return member.offset >= 0 && member.size_bytes >= 0 &&
         member.size_bytes <= kMaxMemberBytes;
}

SampleEntry parse_sample(std::string_view bytes) {
  Fields fields(bytes);
  SampleEntry sample;
  sample.image = fields.member();
  sample.mask = fields.member();
  sample.provenance = fields.member();
  sample.hash = fields.take<Sha256Digest>();
  sample.verdict = fields.take<std::int32_t>();
  return sample;
}

std::vector<std::string> parse_kinds(std::string_view text) {
  std::vector<std::string> kinds;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1);
    kinds.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return kinds;
}

}  // namespace

std::int64_t ShardIndex::accepted() const {
  return std::count_if(samples.begin(), samples.end(),
                       [](const auto& sample) { return sample.verdict == 0; });
}

std::map<std::string, std::int64_t> ShardIndex::rejected() const {
  std::map<std::string, std::int64_t> counts;
  for (const auto& sample : samples) {
    if (sample.verdict == 0) continue;
    ++counts[kinds.at(static_cast<std::size_t>(sample.verdict) - 1)];
  }
  return counts;
}

std::string sample_key(std::int64_t sample) {
  char text[24];
  std::snprintf(text, sizeof(text), "%06lld", static_cast<long long>(sample));
  return text;
}

void set_verdict(SampleEntry& sample, const nlohmann::json& provenance,
                 ShardIndex& index) {
  sample.verdict = 0;
  const auto gate = provenance.find("gate");
  if (gate == provenance.end() || gate->value("accepted", true)) return;
  std::string kind = gate->value("kind", "");
  std::replace(kind.begin(), kind.end(), '\n', ' ');
  const auto known = std::find(index.kinds.begin(), index.kinds.end(), kind);
  sample.verdict = static_cast<int>(known - index.kinds.begin()) + 1;
  if (known == index.kinds.end()) index.kinds.push_back(std::move(kind));
}

std::string serialize(const ShardIndex& index) {
  std::string kinds;
  for (const std::string& kind : index.kinds) kinds += kind + "\n";
  std::string body;
  put(body, index.shard);
  put(body, index.first_sample);
  put(body, static_cast<std::int64_t>(index.samples.size()));
  put(body, index.tar_size_bytes);
  put(body, index.tar_sha256);
  put(body, static_cast<std::int64_t>(kinds.size()));
  for (const SampleEntry& sample : index.samples) {
    SONO_CHECK(is_sound(sample.image) && is_sound(sample.mask) &&
                   is_sound(sample.provenance),
               "a member of shard " << index.shard << " is too large");
    put(body, sample.image);
    put(body, sample.mask);
    put(body, sample.provenance);
    put(body, sample.hash);
    put(body, static_cast<std::int32_t>(sample.verdict));
    put(body, std::int32_t{0});
  }
  body += kinds;
  std::string bytes(kMagic);
  put(bytes, kVersion);
  put(bytes, crc32(body.data(), body.size()));
  return bytes + body;
}

ShardIndex parse_index(std::string_view bytes, const std::string& name) {
  const auto refuse = [&](const char* reason) {
    throw DataError(name + ": damaged (" + reason + ")");
  };
  if (bytes.size() < kRecordBytes) refuse("truncated");
  Fields fields(bytes.substr(kMagic.size()));
  if (!bytes.starts_with(kMagic)) refuse("not an index of a shard");
  if (fields.take<std::uint32_t>() != kVersion) refuse("unknown version");
  const std::string_view body = bytes.substr(kSealedBytes);
  if (fields.take<std::uint32_t>() != crc32(body.data(), body.size())) {
    refuse("wrong checksum");
  }
  ShardIndex index;
  index.shard = fields.take<std::int64_t>();
  index.first_sample = fields.take<std::int64_t>();
  const auto count = fields.take<std::int64_t>();
  index.tar_size_bytes = fields.take<std::int64_t>();
  index.tar_sha256 = fields.take<Sha256Digest>();
  const auto kinds_bytes = fields.take<std::int64_t>();
  bytes.remove_prefix(kRecordBytes);
  const auto most = static_cast<std::int64_t>(bytes.size());
  if (index.shard < 0 || index.first_sample < 0 || count < 0 ||
      count > most / static_cast<std::int64_t>(kRecordBytes) ||
      most - count * static_cast<std::int64_t>(kRecordBytes) != kinds_bytes) {
    refuse("its size is not what it says");
  }
  for (std::int64_t k = 0; k < count; ++k) {
    index.samples.push_back(parse_sample(bytes));
    bytes.remove_prefix(kRecordBytes);
  }
  index.kinds = parse_kinds(bytes);
  const auto num_kinds = static_cast<std::int64_t>(index.kinds.size());
  for (const SampleEntry& sample : index.samples) {
    if (!is_sound(sample.image) || !is_sound(sample.mask) ||
        !is_sound(sample.provenance) || sample.verdict < 0 ||
        sample.verdict > num_kinds) {
      refuse("a sample is out of range");
    }
  }
  return index;
}

}  // namespace sono
