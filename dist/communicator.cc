#include "dist/communicator.h"

#include <cstring>
#include <memory>
#include <optional>

#include "core/check.h"
#include "core/error.h"
#include "dist/recorder/flight_recorder.h"

namespace sono {
namespace {

at::TensorOptions on(const Communicator& comm, at::ScalarType dtype) {
  return at::TensorOptions().dtype(dtype).device(comm.device_type());
}

at::Tensor text_tensor(const Communicator& comm, const std::string& text) {
  at::Tensor bytes =
      at::empty({static_cast<std::int64_t>(text.size())}, at::kByte);
  if (!text.empty()) std::memcpy(bytes.data_ptr(), text.data(), text.size());
  return bytes.to(comm.device_type());
}

std::string tensor_text(const at::Tensor& tensor) {
  const at::Tensor bytes = tensor.to(at::kCPU).contiguous();
  return {static_cast<const char*>(bytes.const_data_ptr()),
          static_cast<std::size_t>(bytes.numel())};
}

std::uint64_t bytes_of(const std::vector<at::Tensor>& tensors) {
  std::uint64_t bytes = 0;
  for (const at::Tensor& tensor : tensors) {
    if (tensor.defined()) bytes += tensor.nbytes();
  }
  return bytes;
}

// An error as text that travels between ranks: "<exit code>\n<message>".
std::string pack_error(const std::exception_ptr& error) {
  if (!error) return "";
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return std::to_string(e.exit_code()) + "\n" + e.what();
  } catch (const std::exception& e) {
    return std::string("1\n") + e.what();
  }
}

[[noreturn]] void throw_packed(const std::string& packed) {
  const auto end = packed.find('\n');
  const std::string message = packed.substr(end + 1);
  switch (std::stoi(packed.substr(0, end))) {
    case 2:
      throw ConfigError(message);
    case 3:
      throw DataError(message);
    case 4:
      throw CommError(message);
    case 5:
      throw DivergedError(message);
    case 6:
      throw ResourceError(message);
    case 75:
      throw StopRequested(message);
    default:
      throw Error(message);
  }
}

}  // namespace

void Communicator::check_tensors(const std::vector<at::Tensor>& tensors,
                                 std::string_view operation) const {
  SONO_CHECK_EQ(static_cast<int>(tensors.size()), world_size());
  for (const at::Tensor& tensor : tensors) {
    if (!tensor.defined()) continue;
    SONO_CHECK(tensor.is_contiguous(), operation << ": tensor not contiguous");
    if (world_size() > 1 && tensor.device().type() != device_type()) {
      throw CommError(std::string(operation) + ": the " +
                      std::string(backend()) + " backend moves " +
                      at::DeviceTypeName(device_type()) +
                      " tensors and was given one on " + tensor.device().str() +
                      "; copy it over, or use a backend for that device");
    }
  }
}

void Communicator::exchange(const std::vector<at::Tensor>& send,
                            const std::vector<at::Tensor>& receive,
                            std::string_view operation,
                            std::uint64_t even_bytes) {
  check_tensors(send, operation);
  check_tensors(receive, operation);
  ++sequence_;
  if (recorder_ == nullptr) return do_exchange(send, receive, operation);
  const std::uint64_t record =
      recorder_->begin_now({operation, group_, sequence_,
                            bytes_of(send) + bytes_of(receive), even_bytes});
  do_exchange(send, receive, operation);
  recorder_->done(record);
}

void Communicator::set_recorder(FlightRecorder* recorder,
                                std::string_view group) {
  recorder_ = recorder;
  group_ = recorder == nullptr ? 0 : recorder->group(group);
}

std::vector<std::int64_t> Communicator::exchange_lengths(
    const std::vector<std::int64_t>& lengths, std::string_view operation) {
  const int n = world_size();
  const at::Tensor out =
      at::tensor(lengths, at::kLong).to(device_type()).contiguous();
  const at::Tensor in = at::zeros({n}, on(*this, at::kLong));
  std::vector<at::Tensor> send, receive;
  for (int r = 0; r < n; ++r) {
    send.push_back(out.narrow(0, r, 1));
    receive.push_back(in.narrow(0, r, 1));
  }
  exchange(send, receive, operation, out.nbytes());
  const at::Tensor host = in.to(at::kCPU);
  const auto* data = host.const_data_ptr<std::int64_t>();
  return {data, data + n};
}

std::vector<at::Tensor> Communicator::all_to_all(
    const std::vector<at::Tensor>& send) {
  SONO_CHECK_EQ(static_cast<int>(send.size()), world_size());
  std::vector<std::int64_t> lengths;
  for (const at::Tensor& tensor : send) lengths.push_back(tensor.numel());
  lengths = exchange_lengths(lengths, "all_to_all lengths");
  std::vector<at::Tensor> receive;
  for (const std::int64_t length : lengths) {
    receive.push_back(at::empty({length}, send[0].options()));
  }
  exchange(send, receive, "all_to_all");
  return receive;
}

std::vector<at::Tensor> Communicator::all_gather(const at::Tensor& tensor) {
  const int n = world_size();
  const auto lengths = exchange_lengths(
      std::vector<std::int64_t>(n, tensor.numel()), "all_gather lengths");
  std::vector<at::Tensor> receive;
  for (const std::int64_t length : lengths) {
    receive.push_back(at::empty({length}, tensor.options()));
  }
  exchange(std::vector<at::Tensor>(n, tensor), receive, "all_gather",
           bytes_of(receive));
  return receive;
}

at::Tensor Communicator::reduce_scatter(const at::Tensor& tensor) {
  at::NoGradGuard no_grad;
  const int n = world_size();
  const auto part = [&](int r) {
    const std::int64_t begin = split_point(tensor.numel(), n, r);
    return tensor.narrow(0, begin,
                         split_point(tensor.numel(), n, r + 1) - begin);
  };
  std::vector<at::Tensor> send, receive;
  for (int r = 0; r < n; ++r) {
    send.push_back(part(r));
    receive.push_back(at::empty_like(part(rank())));
  }
  exchange(send, receive, "reduce_scatter", tensor.nbytes());
  for (int r = 1; r < n; ++r) receive[0].add_(receive[r]);
  return receive[0];
}

at::Tensor Communicator::scratch(const at::Tensor& like, std::int64_t count) {
  const auto bytes =
      count * static_cast<std::int64_t>(at::elementSize(like.scalar_type()));
  if (!scratch_.defined() || scratch_.numel() < bytes ||
      scratch_.device() != like.device()) {
    scratch_ = at::empty({bytes}, like.options().dtype(at::kByte));
  }
  return scratch_.narrow(0, 0, bytes).view(like.scalar_type());
}

// Adds the pieces in rank order and leaves the sum in pieces[own].
void Communicator::add_in_order(const std::vector<at::Tensor>& pieces,
                                int own) {
  at::Tensor sum = pieces[0];
  for (std::size_t r = 1; r < pieces.size(); ++r) {
    // The last addition writes to the own piece, which has been added by then
    // or is being added.
    at::Tensor target = r + 1 == pieces.size() ? pieces[own] : sum;
    at::add_out(target, sum, pieces[r]);
    sum = target;
  }
}

void Communicator::all_reduce(at::Tensor tensor) {
  const int n = world_size();
  if (n == 1) return;
  at::NoGradGuard no_grad;
  const at::Tensor flat = tensor.view({-1});
  const auto part = [&](int r) {
    const std::int64_t begin = split_point(flat.numel(), n, r);
    return flat.narrow(0, begin, split_point(flat.numel(), n, r + 1) - begin);
  };
  const at::Tensor own = part(rank());
  const at::Tensor room = scratch(flat, own.numel() * (n - 1));
  std::vector<at::Tensor> send(n), receive(n), pieces(n);
  std::int64_t next = 0;
  for (int r = 0; r < n; ++r) {
    if (r == rank()) {
      pieces[r] = own;
      continue;
    }
    send[r] = part(r);
    pieces[r] = receive[r] = room.narrow(0, next, own.numel());
    next += own.numel();
  }
  exchange(send, receive, "all_reduce scatter", flat.nbytes());
  add_in_order(pieces, rank());
  for (int r = 0; r < n; ++r) {
    if (r == rank()) continue;
    receive[r] = send[r];
    send[r] = own;
  }
  exchange(send, receive, "all_reduce gather", flat.nbytes());
}

void Communicator::broadcast(at::Tensor tensor, int root) {
  const int n = world_size();
  SONO_CHECK(root >= 0 && root < n, "broadcast from rank " << root);
  if (n == 1) return;
  std::vector<at::Tensor> send(n), receive(n);
  if (rank() == root) {
    send.assign(n, tensor);
    send[root] = at::Tensor();
  } else {
    receive[root] = tensor;
  }
  exchange(send, receive, "broadcast", tensor.nbytes());
}

void Communicator::barrier() {
  const int n = world_size();
  std::vector<at::Tensor> receive;
  for (int r = 0; r < n; ++r) {
    receive.push_back(at::empty({1}, on(*this, at::kByte)));
  }
  exchange(std::vector<at::Tensor>(n, at::zeros({1}, on(*this, at::kByte))),
           receive, "barrier", 1);
}

std::unique_ptr<Communicator> Communicator::split(int color,
                                                  double deadline_seconds) {
  SONO_CHECK(color >= 0, "color " << color);
  std::vector<int> members;
  int index = 0;
  const auto colors = all_gather(at::full({1}, color, on(*this, at::kLong)));
  for (int r = 0; r < world_size(); ++r) {
    if (colors[r].item<std::int64_t>() != color) continue;
    if (r == rank()) index = static_cast<int>(members.size());
    members.push_back(r);
  }
  auto part = do_split(members, index, color, deadline_seconds);
  if (recorder_ != nullptr) {
    part->set_recorder(recorder_, "split " + std::to_string(color));
  }
  return part;
}

std::unique_ptr<Communicator> Communicator::do_split(
    const std::vector<int>& /*members*/, int /*index*/, int /*color*/,
    double /*deadline_seconds*/) {
  throw Error("the " + std::string(backend()) + " backend cannot be split");
}

std::unique_ptr<Communicator> Communicator::duplicate(
    double /*deadline_seconds*/) {
  return nullptr;
}

std::string broadcast_string(Communicator& comm, const std::string& text,
                             int root) {
  const bool here = comm.rank() == root;
  at::Tensor length = at::full({1}, static_cast<std::int64_t>(text.size()),
                               on(comm, at::kLong));
  comm.broadcast(length, root);
  at::Tensor bytes =
      here ? text_tensor(comm, text)
           : at::empty({length.item<std::int64_t>()}, on(comm, at::kByte));
  comm.broadcast(bytes, root);
  return tensor_text(bytes);
}

std::vector<std::string> gather_strings(Communicator& comm,
                                        const std::string& text) {
  std::vector<std::string> texts;
  for (const at::Tensor& bytes : comm.all_gather(text_tensor(comm, text))) {
    texts.push_back(tensor_text(bytes));
  }
  return texts;
}

void check_same(Communicator& comm, const std::string& what,
                const std::string& hash) {
  const auto hashes = gather_strings(comm, hash);
  for (std::size_t r = 1; r < hashes.size(); ++r) {
    if (hashes[r] == hashes[0]) continue;
    throw ConfigError(what + " differs between ranks: rank 0 has " + hashes[0] +
                      ", rank " + std::to_string(r) + " has " + hashes[r] +
                      "; give every rank the same " + what);
  }
}

void run_together(Communicator& comm, const std::function<void()>& work) {
  std::exception_ptr error;
  try {
    work();
  } catch (...) {
    error = std::current_exception();
  }
  for (const std::string& packed : gather_strings(comm, pack_error(error))) {
    if (!packed.empty()) throw_packed(packed);
  }
}

}  // namespace sono
