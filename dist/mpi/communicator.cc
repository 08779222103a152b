#include "dist/mpi/communicator.h"

#define OMPI_SKIP_MPICXX 1  // the C interface only
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <thread>

#include "core/check.h"
#include "core/error.h"
#include "core/message.h"
#include "dist/recorder/flight_recorder.h"

namespace sono {
namespace {

using Clock = std::chrono::steady_clock;

// MPI counts are ints, so large tensors go in pieces of this many bytes.
constexpr std::int64_t kPieceBytes = std::int64_t{1} << 28;
constexpr int kSpins = 2000;
// A large message moves only while MPI is called, so naps come late.
constexpr std::chrono::duration<double> kSpinTime{0.02};
constexpr auto kNap = std::chrono::microseconds(50);
constexpr auto kTellAwaited = std::chrono::milliseconds(250);

void check_mpi(int code, std::string_view operation) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw CommError("MPI: " + std::string(operation) + ": " +
                  std::string(text, length));
}

// Requests under way in one exchange.
class Requests {
 public:
  explicit Requests(std::string_view operation) : operation_(operation) {}

  // Left behind only when an exchange fails: they may still touch buffers that
  // are about to go, so they are cancelled as far as MPI can.
  ~Requests() {
    for (MPI_Request& request : requests_) {
      if (request == MPI_REQUEST_NULL) continue;
      MPI_Cancel(&request);
      MPI_Request_free(&request);
    }
  }
  Requests(const Requests&) = delete;
  Requests& operator=(const Requests&) = delete;

  void send(const at::Tensor& tensor, int peer, int tag, MPI_Comm comm) {
    auto* data = static_cast<const char*>(tensor.const_data_ptr());
    for_pieces(tensor, [&](std::int64_t at, int bytes) {
      check_mpi(
          MPI_Isend(data + at, bytes, MPI_BYTE, peer, tag, comm, add(peer, -1)),
          operation_);
    });
  }

  void receive(const at::Tensor& tensor, int peer, int tag, MPI_Comm comm) {
    auto* data = static_cast<char*>(tensor.data_ptr());
    for_pieces(tensor, [&](std::int64_t at, int bytes) {
      check_mpi(MPI_Irecv(data + at, bytes, MPI_BYTE, peer, tag, comm,
                          add(peer, bytes)),
                operation_);
    });
  }

  // With a recorder its deadline counts; it may change while waiting.
  void wait(const Communicator& comm, double deadline_seconds) {
    FlightRecorder* const recorder = comm.recorder();
    auto progressed = Clock::now();
    auto told = progressed;
    for (int spins = 0; open_ > 0; ++spins) {
      if (test_all()) {
        told = progressed = Clock::now();
        spins = 0;
        if (recorder != nullptr) recorder->tick();
        continue;
      }
      if (comm.abandoned()) throw CommError("abandoned");
      if (spins <= kSpins && comm.hurry()) continue;
      const auto now = Clock::now();
      const std::chrono::duration<double> idle = now - progressed;
      if (comm.hurry() && idle < kSpinTime) {
        std::this_thread::yield();  // to a rank on the same core
        continue;
      }
      std::this_thread::sleep_for(kNap);
      if (recorder != nullptr) {
        deadline_seconds = recorder->wait_deadline_seconds();
        if (now - told > kTellAwaited) {
          recorder->set_awaited(missing());
          told = now;
        }
      }
      if (idle.count() > deadline_seconds)
        throw_late(comm.rank(), idle.count());
    }
  }

 private:
  template <class Function>
  static void for_pieces(const at::Tensor& tensor, Function&& function) {
    const auto size = static_cast<std::int64_t>(tensor.nbytes());
    for (std::int64_t at = 0; at < size; at += kPieceBytes) {
      function(at, static_cast<int>(std::min(kPieceBytes, size - at)));
    }
  }

  MPI_Request* add(int peer, int expected_bytes) {
    requests_.push_back(MPI_REQUEST_NULL);
    peers_.push_back(peer);
    expected_bytes_.push_back(expected_bytes);
    ++open_;
    return &requests_.back();
  }

  // True when at least one request completed.
  bool test_all() {
    bool any = false;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      if (requests_[i] == MPI_REQUEST_NULL) continue;
      int done = 0;
      MPI_Status status;
      check_test(i, MPI_Test(&requests_[i], &done, &status));
      if (!done) continue;
      any = true;
      --open_;
      check_size(i, status);
    }
    return any;
  }

  void check_test(std::size_t i, int code) const {
    int kind = MPI_SUCCESS;
    if (code != MPI_SUCCESS) MPI_Error_class(code, &kind);
    if (kind != MPI_ERR_TRUNCATE) return check_mpi(code, operation_);
    throw CommError(std::string(operation_) + ": rank " +
                    std::to_string(peers_[i]) + " sent more than the " +
                    std::to_string(expected_bytes_[i]) +
                    " bytes that were expected");
  }

  void check_size(std::size_t i, const MPI_Status& status) const {
    if (expected_bytes_[i] < 0) return;
    int bytes = 0;
    MPI_Get_count(&status, MPI_BYTE, &bytes);
    if (bytes == expected_bytes_[i]) return;
    throw CommError(std::string(operation_) + ": rank " +
                    std::to_string(peers_[i]) + " sent " +
                    std::to_string(bytes) + " bytes where " +
                    std::to_string(expected_bytes_[i]) + " were expected");
  }

  // Ranks with open requests, ascending.
  std::vector<int> missing() const {
    std::vector<int> peers;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      if (requests_[i] != MPI_REQUEST_NULL) peers.push_back(peers_[i]);
    }
    std::sort(peers.begin(), peers.end());
    peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
    return peers;
  }

  [[noreturn]] void throw_late(int rank, double seconds) const {
    std::string names;
    for (const int peer : missing()) names += " " + std::to_string(peer);
    char host[MPI_MAX_PROCESSOR_NAME] = "";
    int length = 0;
    MPI_Get_processor_name(host, &length);
    throw CommError("rank " + std::to_string(rank) + " on " +
                    std::string(host, length) + " waited " +
                    std::to_string(static_cast<int>(seconds)) + " s in " +
                    std::string(operation_) + " for rank" + names);
  }

  std::string_view operation_;
  std::vector<MPI_Request> requests_;
  std::vector<int> peers_;
  std::vector<int> expected_bytes_;  // -1 for a send
  int open_ = 0;
};

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator(MPI_Comm source, double deadline_seconds)
      : deadline_seconds_(deadline_seconds) {
    check_mpi(MPI_Comm_dup(source, &comm_), "MPI_Comm_dup");
    MPI_Comm_rank(comm_, &rank_);
    MPI_Comm_size(comm_, &world_size_);
    check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN),
              "MPI_Comm_set_errhandler");
  }
  // Collective, so skipped while an error unwinds: peers may never come.
  ~MpiCommunicator() override {
    if (std::uncaught_exceptions() == 0 && !failed_) MPI_Comm_free(&comm_);
  }

  int rank() const override { return rank_; }
  int world_size() const override { return world_size_; }
  std::string_view backend() const override { return "mpi"; }

  // Null unless MPI lets several threads call it at once.
  std::unique_ptr<Communicator> duplicate(double deadline_seconds) override {
    int granted = MPI_THREAD_SINGLE;
    MPI_Query_thread(&granted);
    if (granted < MPI_THREAD_MULTIPLE) return nullptr;
    return std::make_unique<MpiCommunicator>(comm_, deadline_seconds);
  }

 protected:
  std::unique_ptr<Communicator> do_split(const std::vector<int>& /*members*/,
                                         int index, int color,
                                         double deadline_seconds) override {
    MPI_Comm part = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split(comm_, color, index, &part), "MPI_Comm_split");
    auto communicator =
        std::make_unique<MpiCommunicator>(part, deadline_seconds);
    MPI_Comm_free(&part);
    return communicator;
  }

  void do_exchange(const std::vector<at::Tensor>& send,
                   const std::vector<at::Tensor>& receive,
                   std::string_view operation) override {
    const int tag = static_cast<int>(sequence_++ % 32768);
    failed_ = true;  // until the end is reached
    copy_own(send[rank_], receive[rank_], operation);
    Requests requests(operation);
    for (int step = 1; step < world_size_; ++step) {
      const int from = (rank_ + world_size_ - step) % world_size_;
      if (receive[from].defined()) {
        requests.receive(receive[from], from, tag, comm_);
      }
    }
    for (int step = 1; step < world_size_; ++step) {
      const int to = (rank_ + step) % world_size_;
      if (send[to].defined()) requests.send(send[to], to, tag, comm_);
    }
    requests.wait(*this, deadline_seconds_);
    failed_ = false;
  }

 private:
  static void copy_own(const at::Tensor& from, const at::Tensor& to,
                       std::string_view operation) {
    const std::size_t size = from.defined() ? from.nbytes() : 0;
    SONO_CHECK(size == (to.defined() ? to.nbytes() : 0),
               operation << ": own parts differ in size");
    if (size > 0) std::memcpy(to.data_ptr(), from.const_data_ptr(), size);
  }

  int rank_ = 0;
  int world_size_ = 1;
  double deadline_seconds_;
  MPI_Comm comm_ = MPI_COMM_NULL;
  std::uint64_t sequence_ = 0;
  bool failed_ = false;
};

}  // namespace

MpiVersions mpi_versions() {
  MpiVersions versions;
#ifdef OMPI_MAJOR_VERSION
  versions.built = "Open MPI " + std::to_string(OMPI_MAJOR_VERSION) + "." +
                   std::to_string(OMPI_MINOR_VERSION) + "." +
                   std::to_string(OMPI_RELEASE_VERSION);
#endif
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string running(text, static_cast<std::size_t>(length));
  versions.running = running.substr(0, running.find_first_of(",\n"));
  const auto v = versions.running.find(" v");  // "Open MPI v4.1.4"
  if (v != std::string::npos) versions.running.erase(v + 1, 1);
  return versions;
}

MpiSession::MpiSession() {
  int provided = 0;
  check_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided),
            "MPI_Init_thread");
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &world_size_);
}

MpiSession::~MpiSession() {
  if (std::uncaught_exceptions() > 0 && !all_arrive(5.0)) {
    log_error("rank " + std::to_string(rank_) +
              " fails alone; ending the whole job");
    abort(4);
  }
  MPI_Finalize();
}

bool MpiSession::all_arrive(double seconds) {
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(MPI_COMM_WORLD, &request), "MPI_Ibarrier");
  const auto start = Clock::now();
  for (int done = 0;;) {
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done) return true;
    const std::chrono::duration<double> waited = Clock::now() - start;
    if (waited.count() > seconds) return false;
    std::this_thread::sleep_for(kNap);
  }
}

void MpiSession::abort(int exit_code) {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::abort();  // not reached
}

std::unique_ptr<Communicator> make_mpi_communicator(const MpiSession& /*alive*/,
                                                    double deadline_seconds) {
  return std::make_unique<MpiCommunicator>(MPI_COMM_WORLD, deadline_seconds);
}

}  // namespace sono
