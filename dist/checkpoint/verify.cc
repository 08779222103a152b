#include "dist/checkpoint/verify.h"

#include <algorithm>
#include <fstream>

#include "core/atomic_file.h"
#include "core/error.h"
#include "dist/local/communicator.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// A json file of the folder, read by rank 0, as `Content`.
template <class Content>
Content read_json(Communicator& comm, const fs::path& path) {
  std::string text;
  run_together(comm, [&] {
    if (comm.rank() == 0) text = read_file(path);
  });
  text = broadcast_string(comm, text);
  try {
    return Content::from_json(nlohmann::json::parse(text));
  } catch (const nlohmann::json::exception& e) {
    throw DataError(path.string() + ": " + e.what());
  } catch (const DataError& e) {
    throw DataError(path.parent_path().string() + ": " + e.what());
  } catch (const ConfigError& e) {
    throw ConfigError(path.parent_path().string() + ": " + e.what());
  }
}

CheckpointManifest read_manifest(Communicator& comm, const fs::path& folder) {
  const fs::path path = folder / "manifest.json";
  auto manifest = read_json<CheckpointManifest>(comm, path);
  for (const char* name :
       {"model.safetensors", "optimizer.safetensors", "state.json"}) {
    if (!manifest.files.contains(name)) {
      throw DataError(path.string() + ": does not list " + name);
    }
  }
  return manifest;
}

void check_size(const fs::path& path, std::uint64_t expected) {
  std::error_code code;
  const auto size = fs::file_size(path, code);
  if (code) throw DataError(path.string() + ": missing from the checkpoint");
  if (size != expected) {
    throw DataError(path.string() + ": has " + std::to_string(size) +
                    " bytes, its manifest says " + std::to_string(expected));
  }
}

// The digests of blocks [first, last), end to end.
std::string check_blocks(const fs::path& path, const ManifestFile& file,
                         std::int64_t first, std::int64_t last) {
  std::ifstream stream(path, std::ios::binary);
  stream.seekg(first * kCheckpointBlockBytes);
  std::string block(kCheckpointBlockBytes, '\0');
  std::string digests;
  for (std::int64_t i = first; i < last; ++i) {
    stream.read(block.data(), kCheckpointBlockBytes);
    const auto count = static_cast<std::size_t>(stream.gcount());
    const BlockSum sum = block_sum({block.data(), count});
    if (sum.crc32 != file.crc32[static_cast<std::size_t>(i)]) {
      throw DataError(path.string() + ": checksum of block " +
                      std::to_string(i) + " (from byte " +
                      std::to_string(i * kCheckpointBlockBytes) + ") is wrong");
    }
    digests.append(sum.sha256.begin(), sum.sha256.end());
  }
  return digests;
}

// The digests of this rank's share of all blocks of all files, end to end.
std::string check_share(const Communicator& comm, const fs::path& folder,
                        const CheckpointManifest& manifest) {
  std::int64_t total = 0;
  for (const auto& [name, file] : manifest.files) {
    check_size(folder / name, file.bytes);
    total += static_cast<std::int64_t>(file.crc32.size());
  }
  const auto begin = split_point(total, comm.world_size(), comm.rank());
  const auto end = split_point(total, comm.world_size(), comm.rank() + 1);
  std::string digests;
  std::int64_t start = 0;  // of the file, in blocks
  for (const auto& [name, file] : manifest.files) {
    const auto count = static_cast<std::int64_t>(file.crc32.size());
    const auto first = std::clamp<std::int64_t>(begin - start, 0, count);
    const auto last = std::clamp<std::int64_t>(end - start, 0, count);
    if (first < last) digests += check_blocks(folder / name, file, first, last);
    start += count;
  }
  return digests;
}

}  // namespace

CheckpointState verify_checkpoint(Communicator& comm, const fs::path& folder) {
  const CheckpointManifest manifest = read_manifest(comm, folder);
  std::string digests;
  run_together(comm, [&] { digests = check_share(comm, folder, manifest); });
  std::string all;
  for (const std::string& part : gather_strings(comm, digests)) all += part;
  std::size_t start = 0;
  for (const auto& [name, file] : manifest.files) {
    const std::size_t size = file.crc32.size() * sizeof(Sha256Digest);
    if (sha256_hex(std::string_view(all).substr(start, size)) !=
        file.blocks_sha256) {
      throw DataError((folder / name).string() +
                      ": SHA-256 differs from the manifest");
    }
    start += size;
  }
  return read_json<CheckpointState>(comm, folder / "state.json");
}

CheckpointState verify_checkpoint(const fs::path& folder) {
  return verify_checkpoint(*make_single_rank(), folder);
}

}  // namespace sono
