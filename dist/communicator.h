#pragma once
// How ranks talk. A Communicator belongs to one rank and is used by one thread
// at a time. Every member function that moves data is collective: all ranks
// must call it, in the same order, with arguments that fit together.
//
// A backend supplies one primitive, `exchange`; the collectives are built on it
// here, once, so that they add in rank order and give the same bits on every
// backend. A peer that fails or does not come within the deadline is a
// CommError that names the operation and who is missing.

#include <ATen/ATen.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sono {

class FlightRecorder;

class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual int rank() const = 0;
  virtual int world_size() const = 0;
  // "local", "mpi" or "nccl".
  virtual std::string_view backend() const = 0;
  // Where tensors must lie when there is more than one rank.
  virtual at::DeviceType device_type() const { return at::kCPU; }

  // Sends send[r] to rank r and fills receive[r] with what rank r sent here,
  // its own part included. Both lists have world_size() contiguous tensors; an
  // undefined or empty tensor moves nothing. send[r] here and receive[rank()]
  // on r have equal bytes. `operation` names the call in error messages and
  // recordings; `even_bytes` is a size that must be equal on all ranks, 0:
  // none.
  void exchange(const std::vector<at::Tensor>& send,
                const std::vector<at::Tensor>& receive,
                std::string_view operation = "exchange",
                std::uint64_t even_bytes = 0);

  // In-place sum over ranks, added in rank order. Equal shapes on all ranks.
  void all_reduce(at::Tensor tensor);
  // Sum over ranks of `tensor`, 1-D; returns elements
  // [split_point(n, N, r), split_point(n, N, r + 1)) of it to rank r.
  at::Tensor reduce_scatter(const at::Tensor& tensor);
  // 1-D tensors, of any length on each rank; the result is in rank order.
  std::vector<at::Tensor> all_gather(const at::Tensor& tensor);
  // send[r] is 1-D, of any length and of one dtype; result[r] came from r.
  std::vector<at::Tensor> all_to_all(const std::vector<at::Tensor>& send);
  // Copies root's content into `tensor`; equal shapes on all ranks.
  void broadcast(at::Tensor tensor, int root = 0);
  void barrier();

  // Whether a wait may keep the core busy (true at first) or should leave it to
  // a thread that computes. Any thread may set it.
  void set_hurry(bool hurry) { hurry_ = hurry; }
  bool hurry() const { return hurry_; }
  bool abandoned() const { return abandoned_; }

  // Ends a wait under way on another thread with a CommError; the communicator
  // is of no use afterwards. Any thread.
  virtual void abandon() { abandoned_ = true; }

  // A communicator of the ranks that give the same `color` (0 or more), in
  // their order here; used by the thread that uses this one, which must outlive
  // it. All ranks must call.
  std::unique_ptr<Communicator> split(int color, double deadline_seconds = 600);

  // A communicator of the same ranks for one other thread, which may use it
  // while this one is in use; its waits leave the core to others. Null where
  // the backend has none. This one must outlive it. All ranks must call.
  virtual std::unique_ptr<Communicator> duplicate(double deadline_seconds);

  // From now on every operation is recorded as one of this group of ranks; null
  // ends that. The recorder must outlive the communicator.
  void set_recorder(FlightRecorder* recorder, std::string_view group = "world");
  FlightRecorder* recorder() const { return recorder_; }

 protected:
  virtual void do_exchange(const std::vector<at::Tensor>& send,
                           const std::vector<at::Tensor>& receive,
                           std::string_view operation) = 0;
  // `members`: the ranks here that gave this color, ascending; this one is
  // number `index` of them.
  virtual std::unique_ptr<Communicator> do_split(
      const std::vector<int>& members, int index, int color,
      double deadline_seconds);

 private:
  void check_tensors(const std::vector<at::Tensor>& tensors,
                     std::string_view operation) const;
  // 1-D, `count` elements of `like`'s type, to be overwritten by the next call.
  at::Tensor scratch(const at::Tensor& like, std::int64_t count);
  static void add_in_order(const std::vector<at::Tensor>& pieces, int own);
  // Lengths that each rank will send here, given those sent from here.
  std::vector<std::int64_t> exchange_lengths(
      const std::vector<std::int64_t>& lengths, std::string_view operation);

  at::Tensor scratch_;  // kept, since fresh memory costs more than the copy
  std::atomic<bool> hurry_ = true;
  std::atomic<bool> abandoned_ = false;
  FlightRecorder* recorder_ = nullptr;
  std::uint8_t group_ = 0;
  std::uint64_t sequence_ = 0;  // operations of the group so far
};

// First item of part `index` when `count` items are cut into `parts` parts:
// floor(index * count / parts).
constexpr std::int64_t split_point(std::int64_t count, std::int64_t parts,
                                   std::int64_t index) {
  return index * count / parts;
}

// All ranks must call each of these.

// The root's text on every rank.
std::string broadcast_string(Communicator& comm, const std::string& text,
                             int root = 0);
// Every rank's text, in rank order.
std::vector<std::string> gather_strings(Communicator& comm,
                                        const std::string& text);
// ConfigError on every rank when `hash` is not the same on all; names `what`
// and the first rank that differs from rank 0.
void check_same(Communicator& comm, const std::string& what,
                const std::string& hash);
// Runs `work` here, then learns whether it failed on any rank; if so, every
// rank throws the error of the lowest failing rank, of the same type. `work`
// itself must not be collective.
void run_together(Communicator& comm, const std::function<void()>& work);

}  // namespace sono
