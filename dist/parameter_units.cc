#include "dist/parameter_units.h"

#include <algorithm>

#include "core/check.h"

namespace sono {
namespace {

// Gives a tensor's storage memory for `bytes`, or takes it away with 0. Views
// of it keep their shapes.
void set_memory(const at::Tensor& tensor, std::size_t bytes) {
  c10::StorageImpl* storage = tensor.storage().unsafeGetStorageImpl();
  storage->set_data_ptr_noswap(storage->allocator()->allocate(bytes));
  storage->set_nbytes(bytes);
}

Range overlap(Range a, Range b) {
  const Range both = {std::max(a.begin, b.begin), std::min(a.end, b.end)};
  return both.size() > 0 ? both : Range{};
}

}  // namespace

ParameterUnits::ParameterUnits(CommQueue& queue, Arena& arena,
                               const EntryRanges& blocks)
    : queue_(queue), arena_(arena) {
  at::NoGradGuard no_grad;
  const auto& entries = arena.layout().entries();
  const auto begin_of = [&](std::size_t entry) {
    return entry < entries.size() ? entries[entry].offset
                                  : arena.layout().size();
  };
  std::int64_t done = 0;
  for (const auto& [first, last] : blocks) {
    const Range range = {begin_of(first), begin_of(last)};
    SONO_CHECK(range.begin >= done && range.size() > 0,
               "blocks of parameters out of order");
    if (range.begin > done) between_.push_back(add_unit({done, range.begin}));
    block_units_.push_back(add_unit(range));
    done = range.end;
  }
  if (done < arena.layout().size()) {
    between_.push_back(add_unit({done, arena.layout().size()}));
  }
  for (const std::size_t i : between_) hold(units_[i]);
  refresh();
}

std::size_t ParameterUnits::add_unit(Range range) {
  Unit unit;
  unit.range = range;
  unit.flat = at::empty({range.size()}, arena_.params.data.options());
  const auto& entries = arena_.layout().entries();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Range entry = arena_.layout().range_of(i);
    if (entry.begin < range.begin || entry.begin >= range.end) continue;
    arena_.parameters()[i].second.set_data(
        unit.flat.narrow(0, entry.begin - range.begin, entry.size())
            .view(entries[i].shape));
  }
  set_memory(unit.flat, 0);  // after the views were made
  units_.push_back(std::move(unit));
  return units_.size() - 1;
}

void ParameterUnits::hold(Unit& unit) {
  if (unit.held) return;
  const auto bytes = static_cast<std::int64_t>(unit.range.size()) *
                     static_cast<std::int64_t>(sizeof(float));
  set_memory(unit.flat, static_cast<std::size_t>(bytes));
  unit.held = true;
  bytes_ += bytes;
  peak_bytes_ = std::max(peak_bytes_, bytes_);
}

void ParameterUnits::give_back(Unit& unit) {
  if (!unit.held) return;
  set_memory(unit.flat, 0);
  unit.held = false;
  bytes_ -= unit.range.size() * static_cast<std::int64_t>(sizeof(float));
}

void ParameterUnits::fetch(Unit& unit) {
  hold(unit);
  unit.filled = queue_.post([this, &unit] { fill(unit); });
}

// The unit's values from their owners, bucket by bucket.
void ParameterUnits::fill(const Unit& unit) {
  at::NoGradGuard no_grad;
  Communicator& comm = queue_.comm();
  const int n = comm.world_size();
  const BucketPlan& plan = arena_.plan();
  const auto target = [&](Range range) {
    return unit.flat.narrow(0, range.begin - unit.range.begin, range.size());
  };
  for (std::size_t b = 0; b < plan.buckets().size(); ++b) {
    if (overlap(plan.buckets()[b].range, unit.range).size() == 0) continue;
    const Range own = overlap(plan.chunk(b, comm.rank()), unit.range);
    std::vector<at::Tensor> send(n), receive(n);
    for (int r = 0; r < n; ++r) {
      const Range theirs = overlap(plan.chunk(b, r), unit.range);
      if (r == comm.rank() || theirs.size() == 0) continue;
      receive[r] = target(theirs);
    }
    if (own.size() > 0) {
      const at::Tensor values = arena_.params.view(own);
      target(own).copy_(values);
      for (int r = 0; r < n; ++r) {
        if (r != comm.rank()) send[r] = values;
      }
    }
    comm.exchange(send, receive, "parameter gather");
  }
}

void ParameterUnits::begin_pass() {
  recorded_ = recorded_ || !order_.empty();
  next_ = 0;
}

void ParameterUnits::acquire(std::size_t block) {
  if (!recorded_) order_.push_back(block);
  Unit& unit = units_[block_units_[block]];
  if (!unit.held) fetch(unit);
  queue_.wait_for(unit.filled);
  ++next_;
  if (!recorded_ || next_ >= order_.size()) return;
  Unit& ahead = units_[block_units_[order_[next_]]];
  if (!ahead.held) fetch(ahead);
}

void ParameterUnits::release(std::size_t block) {
  // Used again at once, as at the turn from forward to backward: kept.
  if (recorded_ && next_ < order_.size() && order_[next_] == block) return;
  give_back(units_[block_units_[block]]);
}

void ParameterUnits::refresh() {
  for (const std::size_t i : between_) fetch(units_[i]);
  queue_.wait();
}

void ParameterUnits::unshard() {
  for (Unit& unit : units_) fetch(unit);
  queue_.wait();
}

}  // namespace sono
