#include "dist/checkpoint/writer.h"

#include <chrono>
#include <cstring>
#include <thread>

#include "core/check.h"
#include "core/error.h"
#include "dist/checkpoint/save_folder.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

using Clock = std::chrono::steady_clock;

BlockSum write_block(BlockFile& file, std::int64_t offset,
                     std::string_view bytes, SaveProgress& progress) {
  const auto begun = Clock::now();
  file.write_at(offset, bytes);
  const BlockSum sum = block_sum(bytes);
  ++progress.blocks;
  if (!progress.awaited) std::this_thread::sleep_for(Clock::now() - begun);
  return sum;
}

// Writes this rank's blocks; their checksums in order, as bytes.
std::string write_blocks(const SavePlan& plan, const fs::path& folder,
                         const Snapshot& snapshot, SaveProgress& progress) {
  std::string sums;
  const auto& blocks = snapshot.blocks();
  for (auto block = blocks.begin(); block != blocks.end();) {
    const FileLayout& layout = plan.files[block->file];
    BlockFile file = BlockFile::open(folder / layout.name);
    for (const int index = block->file;
         block != blocks.end() && block->file == index; ++block) {
      const BlockSum sum = write_block(file, layout.block(block->index).begin,
                                       snapshot.bytes(*block), progress);
      sums.append(reinterpret_cast<const char*>(&sum), sizeof(sum));
    }
    file.sync();
    ++progress.blocks;
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
                  SaveProgress& progress, SaveFolder& save) {
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
                      SaveProgress& progress) {
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
