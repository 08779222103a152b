#include "dist/checkpoint/writer.h"

#include <cstring>

#include "core/check.h"
#include "core/error.h"
#include "dist/checkpoint/save_folder.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

// Writes this rank's blocks; their checksums in order, as bytes.
std::string write_blocks(const SavePlan& plan, const fs::path& folder,
                         const Snapshot& snapshot,
                         std::atomic<std::int64_t>& progress) {
  std::string sums;
  const auto& blocks = snapshot.blocks();
  for (auto block = blocks.begin(); block != blocks.end();) {
    const FileLayout& layout = plan.files[block->file];
    BlockFile file = BlockFile::open(folder / layout.name);
    for (const int index = block->file;
         block != blocks.end() && block->file == index; ++block) {
      const std::string_view bytes = snapshot.bytes(*block);
      file.write_at(layout.block(block->index).begin, bytes);
      const BlockSum sum = block_sum(bytes);
      sums.append(reinterpret_cast<const char*>(&sum), sizeof(sum));
      ++progress;
    }
    file.sync();
    ++progress;
  }
  return sums;
}

// The manifest from every rank's checksums, each in the order of its blocks.
CheckpointManifest make_manifest(const SavePlan& plan,
                                 const std::vector<std::string>& sums) {
  static_assert(sizeof(BlockSum) == 36);
  std::vector<std::size_t> read(sums.size(), 0);
  CheckpointManifest manifest;
  for (std::size_t f = 0; f < plan.files.size(); ++f) {
    std::vector<BlockSum> blocks;
    for (const int writer : plan.writes.writers[f]) {
      const auto r = static_cast<std::size_t>(writer);
      BlockSum sum;
      SONO_CHECK(read[r] + sizeof(sum) <= sums[r].size(),
                 "rank " << r << " sent too few checksums");
      std::memcpy(&sum, sums[r].data() + read[r], sizeof(sum));
      read[r] += sizeof(sum);
      blocks.push_back(sum);
    }
    manifest.files[plan.files[f].name] = ManifestFile::from_blocks(
        static_cast<std::uint64_t>(plan.files[f].bytes), blocks);
  }
  return manifest;
}

void write_folder(Communicator& comm, const SavePlan& plan,
                  const CheckpointState& state, Snapshot& snapshot,
                  std::atomic<std::int64_t>& progress, SaveFolder& save) {
  run_together(comm, [&] {
    snapshot.wait();
    save.create(plan.files);
  });
  if (!plan.writes.transfers.empty()) snapshot.exchange(comm);
  std::string sums;
  run_together(comm, [&] {
    sums = write_blocks(plan, save.path(), snapshot, progress);
  });
  const auto all = gather_strings(comm, sums);
  run_together(comm, [&] {
    if (comm.rank() != 0) return;
    save.commit(state, make_manifest(plan, all));
    save.remove_others();
  });
}

}  // namespace

void write_checkpoint(Communicator& comm, const SavePlan& plan,
                      const CheckpointState& state, Snapshot& snapshot,
                      std::atomic<std::int64_t>& progress) {
  SaveFolder save(plan.root / checkpoint_name(state.step), comm.rank() == 0);
  try {
    write_folder(comm, plan, state, snapshot, progress, save);
  } catch (const CommError&) {
    throw;  // peers may be gone
  } catch (const Error&) {
    // All ranks have this error; none goes on before the folder is gone.
    save.discard();
    comm.barrier();
    throw;
  }
}

void remove_other_checkpoints(Communicator& comm, const fs::path& checkpoint) {
  run_together(comm, [&] {
    if (comm.rank() == 0) remove_checkpoints_beside(checkpoint, "");
  });
}

}  // namespace sono
