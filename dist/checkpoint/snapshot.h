#pragma once
// A rank's part of a checkpoint in memory: the blocks that it writes, copied
// from the arena into one slab that is allocated once and used again.
//
// A save goes start, work, wait; then `exchange` and the blocks may be read
// until the next start. Between start and wait the arena must not change.

#include <ATen/ATen.h>
#include <c10/core/Event.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "dist/checkpoint/write_plan.h"
#include "dist/communicator.h"

namespace sono {

class Snapshot {
 public:
  // A block of a file that this rank writes.
  struct Block {
    int file;
    std::int64_t index;
    std::int64_t slab_offset;
  };

  // Allocates and touches the slab: this rank's share of the files and what it
  // sends to others. The arena, the files and the plan must outlive this.
  Snapshot(const Arena& arena, const std::vector<FileLayout>& files,
           const WritePlan& plan, int rank);

  // Main thread, in the order of the work on the arena's device.
  void start();
  // Copies what nobody has copied yet. Any thread; on a device one alone.
  void work();
  // True when `work` may be called by the waiting thread too.
  bool may_help() const { return !device_.has_value(); }
  // Returns when every copy is done, or throws why one failed. Copies nothing
  // itself.
  void wait();

  // Sends pieces to their writers and puts those received in place. All ranks
  // must call, after wait.
  void exchange(Communicator& comm);

  const std::vector<Block>& blocks() const { return blocks_; }
  std::string_view bytes(const Block& block) const;
  std::int64_t memory_bytes() const { return slab_bytes_; }

 private:
  struct Copy {
    int buffer;
    Range elements;
    std::int64_t slab_offset;
  };
  // A piece of a block, in `bytes` of the slab, as it travels.
  struct Piece {
    int peer;
    std::int64_t slab_offset;
    std::int64_t bytes;
  };

  void add_block(int file, std::int64_t index);
  void add_sent(const Transfer& transfer);
  void add_received(const Transfer& transfer);
  void add_copies(int file, Range bytes, std::int64_t slab_offset);
  void allocate();
  void copy_all();
  void copy_from_device();
  void end_copies();
  char* slab(std::int64_t offset) const;

  const std::vector<FileLayout>& files_;
  const HeldRanges held_;
  const PerBuffer<const FlatBuffer*> buffers_;
  std::optional<at::Device> device_;  // of the arena, when not the CPU
  std::optional<c10::Event> ready_;   // the arena's last change is done

  at::Tensor slab_;  // bytes: blocks, then pieces to send by destination
  std::int64_t slab_bytes_ = 0;
  std::vector<Block> blocks_;  // by file and position
  std::vector<Copy> copies_;
  std::vector<Piece> sent_;      // by destination
  std::vector<Piece> received_;  // by source
  std::atomic<std::size_t> taken_{0};
  std::atomic<std::size_t> copied_{0};
  std::mutex mutex_;          // guards error_
  std::exception_ptr error_;  // of a copy
};

}  // namespace sono
