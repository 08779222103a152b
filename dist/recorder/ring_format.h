#pragma once
// The bytes of a ring file: one RingHeader, then a ring of RingRecords. Only
// the rank that owns the file writes; anyone on its host may read at any time.
// Times are nanoseconds of the host's CLOCK_MONOTONIC; the header's anchor
// turns them into seconds since 1970.

#include <atomic>
#include <cstdint>

namespace sono {

constexpr char kRingMagic[8] = {'S', 'O', 'N', 'O', 'R', 'I', 'N', 'G'};
constexpr std::uint32_t kRingVersion = 1;
constexpr std::uint32_t kRingRecords = 4096;
constexpr int kRingNames = 64;
constexpr int kRingAwaited = 16;

// Names of operations and groups; a slot is readable once `ready` is set.
struct RingName {
  std::atomic<std::uint32_t> ready;
  char text[44];
};

// kKilled is written by the rank's guard.
enum class RingEnd : std::uint32_t { kRunning, kDone, kFailed, kKilled };

// What changes while the rank runs.
struct RingLive {
  std::atomic<std::uint64_t> begun;     // records begun since the start
  std::atomic<std::uint64_t> progress;  // moves whenever the rank gets on
  std::atomic<std::int64_t> progress_ns;
  std::atomic<std::uint64_t> beat;  // moves while the watchdog's thread runs
  std::atomic<std::int64_t> beat_ns;
  std::atomic<std::int64_t> step;
  std::atomic<std::int64_t> phase_ns;  // since when
  std::atomic<std::uint32_t> phase;
  std::atomic<std::uint32_t> end;  // RingEnd
  std::atomic<std::uint32_t> names;
  std::atomic<std::int32_t> world_size;  // 0: not known yet
  // Ranks whose data a long wait lacks, the first few; -1 ends the list.
  std::atomic<std::int16_t> awaited[kRingAwaited];
};

struct RingHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t num_records;
  std::int32_t rank;
  std::int32_t local_rank;  // -1: not known
  std::int64_t pid;
  std::uint64_t pid_space;  // inode of the process's pid namespace
  std::int64_t anchor_steady_ns;
  std::int64_t anchor_wall_ns;  // since 1970, at the same instant
  double step_deadline;         // seconds
  char host[64];
  char job[64];
  char device[64];
  char build[64];
  char shared_folder[1024];  // empty: not known yet
  RingLive live;
  RingName name[kRingNames];
};

// One operation of one group of ranks.
struct RingRecord {
  std::atomic<std::uint64_t> stamp;  // 1 + number of the record; 0 = not yet
  std::uint64_t sequence;            // 1, 2, ... in its group
  std::uint64_t bytes;               // moved by this rank, both ways
  std::uint64_t even_bytes;          // equal on all ranks; 0 where it need not
  // 0: not yet. The first is when it was handed over, the second when it was
  // taken up: from then on the rank has entered it.
  std::atomic<std::int64_t> enqueued_ns;
  std::atomic<std::int64_t> started_ns;
  std::atomic<std::int64_t> done_ns;
  std::int32_t step;
  std::int16_t bucket;  // of the gradient; -1: none
  std::uint8_t operation;
  std::uint8_t group_and_phase;  // group in the upper four bits
};
static_assert(sizeof(RingRecord) == 64);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

constexpr std::uint64_t kRingBytes =
    sizeof(RingHeader) + kRingRecords * sizeof(RingRecord);

}  // namespace sono
