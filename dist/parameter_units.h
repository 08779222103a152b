#pragma once
// Parameters that are there only while they are used (ZeRO stage 3).
//
// The layout is cut into units, one a recomputed block and one for each run of
// parameters between blocks. Each rank keeps the values of what it owns
// (arena.params); a unit's own memory, of which its parameters are views, is
// filled from all owners when the unit is acquired and given back when it is
// released. What lies between blocks stays.

#include <cstdint>
#include <utility>
#include <vector>

#include "dist/arena.h"
#include "dist/reducer/comm_queue.h"

namespace sono {

// Layout entries [first, last), ascending and disjoint.
using EntryRanges = std::vector<std::pair<std::size_t, std::size_t>>;

class ParameterUnits {
 public:
  // `blocks`: the entries of each block. Takes over the parameters' data.
  // `queue` and `arena` must outlive this object. All ranks must call.
  ParameterUnits(CommQueue& queue, Arena& arena, const EntryRanges& blocks);
  ~ParameterUnits() { queue_.cancel(); }
  ParameterUnits(const ParameterUnits&) = delete;
  ParameterUnits& operator=(const ParameterUnits&) = delete;

  // Called by all ranks in the same order. The block that was acquired next
  // after this one in the last pass is fetched ahead.
  void acquire(std::size_t block);
  void release(std::size_t block);
  // A new forward and backward pass begins.
  void begin_pass();

  // After an update: what stays gets its owners' new values.
  void refresh();
  // All parameters get their values and keep them: the end of training.
  void unshard();

  // Bytes of unit memory now, and the most there were at once.
  std::int64_t bytes() const { return bytes_; }
  std::int64_t peak_bytes() const { return peak_bytes_; }

 private:
  struct Unit {
    Range range;
    at::Tensor flat;  // without memory while not held
    bool held = false;
    CommQueue::Ticket filled = 0;
  };

  std::size_t add_unit(Range range);
  void hold(Unit& unit);  // memory, and the values on their way
  void give_back(Unit& unit);
  void fetch(Unit& unit);
  void fill(const Unit& unit);

  CommQueue& queue_;
  Arena& arena_;
  std::vector<Unit> units_;
  std::vector<std::size_t> block_units_;  // unit of each block
  std::vector<std::size_t> between_;      // the other units
  std::vector<std::size_t> order_;        // of the last pass, blocks
  std::size_t next_ = 0;                  // place in order_
  bool recorded_ = false;
  std::int64_t bytes_ = 0;
  std::int64_t peak_bytes_ = 0;
};

}  // namespace sono
