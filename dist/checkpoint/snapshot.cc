#include "dist/checkpoint/snapshot.h"

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <cstring>

#include "core/check.h"

namespace sono {

Snapshot::Snapshot(const Arena& arena, const std::vector<FileLayout>& files,
                   const WritePlan& plan, int rank)
    : files_(files),
      held_(held_ranges(arena)),
      buffers_(checkpoint_buffers(arena)) {
  const at::Device device = arena.params.data.device();
  if (!device.is_cpu()) device_ = device;
  for (std::size_t f = 0; f < files.size(); ++f) {
    for (std::size_t b = 0; b < plan.writers[f].size(); ++b) {
      if (plan.writers[f][b] != rank) continue;
      add_block(static_cast<int>(f), static_cast<std::int64_t>(b));
    }
  }
  // Both ends of a transfer list their pieces by peer, then in the plan's
  // order; so the bytes need no labels.
  std::vector<Transfer> transfers = plan.transfers;
  std::stable_sort(
      transfers.begin(), transfers.end(),
      [](const Transfer& a, const Transfer& b) { return a.to < b.to; });
  for (const Transfer& transfer : transfers) {
    if (transfer.from == rank) add_sent(transfer);
  }
  std::stable_sort(
      transfers.begin(), transfers.end(),
      [](const Transfer& a, const Transfer& b) { return a.from < b.from; });
  for (const Transfer& transfer : transfers) {
    if (transfer.to == rank) add_received(transfer);
  }
  allocate();
  copied_ = copies_.size();
}

void Snapshot::add_block(int file, std::int64_t index) {
  const Range range = files_[file].block(index);
  blocks_.push_back({file, index, slab_bytes_});
  add_copies(file, range, slab_bytes_);
  slab_bytes_ += range.size();
}

void Snapshot::add_sent(const Transfer& transfer) {
  sent_.push_back({transfer.to, slab_bytes_, transfer.bytes.size()});
  add_copies(transfer.file, transfer.bytes, slab_bytes_);
  slab_bytes_ += transfer.bytes.size();
}

void Snapshot::add_received(const Transfer& transfer) {
  const auto block =
      std::find_if(blocks_.begin(), blocks_.end(), [&](const Block& candidate) {
        return candidate.file == transfer.file &&
               candidate.index == transfer.bytes.begin / kCheckpointBlockBytes;
      });
  SONO_CHECK(block != blocks_.end(), "a piece of a block of another rank");
  received_.push_back(
      {transfer.from,
       block->slab_offset + transfer.bytes.begin % kCheckpointBlockBytes,
       transfer.bytes.size()});
}

void Snapshot::add_copies(int file, Range bytes, std::int64_t slab_offset) {
  for (const FilePiece& piece : held_pieces(files_[file], bytes, held_)) {
    copies_.push_back({piece.buffer, piece.elements,
                       slab_offset + piece.bytes.begin - bytes.begin});
  }
}

// Touching now spares the first save the page faults, which cost more than the
// copy itself.
void Snapshot::allocate() {
  slab_ = at::empty({slab_bytes_},
                    at::TensorOptions().dtype(at::kByte).pinned_memory(
                        device_ && device_->is_cuda()));
  if (slab_bytes_ > 0) {
    std::memset(slab(0), 0, static_cast<std::size_t>(slab_bytes_));
  }
  for (const Block& block : blocks_) {
    const std::string& header = files_[block.file].header;
    const Range range = files_[block.file].block(block.index);
    const auto size = static_cast<std::int64_t>(header.size());
    if (range.begin >= size) continue;
    std::memcpy(
        slab(block.slab_offset), header.data() + range.begin,
        static_cast<std::size_t>(std::min(range.end, size) - range.begin));
  }
}

void Snapshot::start() {
  SONO_CHECK(copied_.load() >= copies_.size(), "a snapshot is under way");
  error_ = nullptr;
  if (device_) {
    const c10::impl::VirtualGuardImpl guard(device_->type());
    ready_.emplace(device_->type());
    ready_->record(guard.getStream(*device_));
  }
  copied_ = 0;
  taken_ = 0;
}

void Snapshot::work() {
  try {
    if (device_) {
      copy_from_device();
    } else {
      copy_all();
    }
  } catch (...) {
    {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
    }
    end_copies();
  }
}

void Snapshot::copy_all() {
  for (;;) {
    const std::size_t i = taken_.fetch_add(1);
    if (i >= copies_.size()) return;
    const Copy& copy = copies_[i];
    const at::Tensor source = buffers_[copy.buffer]->view(copy.elements);
    std::memcpy(slab(copy.slab_offset), source.const_data_ptr(),
                source.nbytes());
    if (copied_.fetch_add(1) + 1 == copies_.size()) copied_.notify_all();
  }
}

// On a stream of its own, beside forward and backward; into pinned memory.
void Snapshot::copy_from_device() {
  const c10::impl::VirtualGuardImpl guard(device_->type());
  const c10::Stream stream = guard.getStreamFromGlobalPool(*device_);
  const c10::StreamGuard use(stream);
  ready_->block(stream);
  for (const Copy& copy : copies_) {
    const at::Tensor source =
        buffers_[copy.buffer]->view(copy.elements).view(at::kByte);
    slab_.narrow(0, copy.slab_offset, source.numel())
        .copy_(source, /*non_blocking=*/true);
  }
  stream.synchronize();
  end_copies();
}

void Snapshot::end_copies() {
  copied_ = copies_.size();
  copied_.notify_all();
}

void Snapshot::wait() {
  for (std::size_t n = copied_.load(); n < copies_.size(); n = copied_.load()) {
    copied_.wait(n);
  }
  const std::lock_guard lock(mutex_);
  if (error_) std::rethrow_exception(error_);
}

void Snapshot::exchange(Communicator& comm) {
  const int n = comm.world_size();
  const auto lengths = [n](const std::vector<Piece>& pieces) {
    std::vector<std::int64_t> bytes(n, 0);
    for (const Piece& piece : pieces) bytes[piece.peer] += piece.bytes;
    return bytes;
  };
  const auto options =
      at::TensorOptions().dtype(at::kByte).device(comm.device_type());
  std::vector<at::Tensor> send, receive;
  std::int64_t offset = sent_.empty() ? 0 : sent_[0].slab_offset;
  for (const std::int64_t bytes : lengths(sent_)) {
    send.push_back(slab_.narrow(0, offset, bytes).to(comm.device_type()));
    offset += bytes;
  }
  for (const std::int64_t bytes : lengths(received_)) {
    receive.push_back(at::empty({bytes}, options));
  }
  comm.exchange(send, receive, "checkpoint pieces");
  std::vector<std::int64_t> read(n, 0);
  for (at::Tensor& tensor : receive) tensor = tensor.to(at::kCPU);
  for (const Piece& piece : received_) {
    std::memcpy(
        slab(piece.slab_offset),
        receive[piece.peer].const_data_ptr<std::uint8_t>() + read[piece.peer],
        static_cast<std::size_t>(piece.bytes));
    read[piece.peer] += piece.bytes;
  }
}

std::string_view Snapshot::bytes(const Block& block) const {
  const Range range = files_[block.file].block(block.index);
  return {slab(block.slab_offset), static_cast<std::size_t>(range.size())};
}

char* Snapshot::slab(std::int64_t offset) const {
  return static_cast<char*>(slab_.data_ptr()) + offset;
}

}  // namespace sono
