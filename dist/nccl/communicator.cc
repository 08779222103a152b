#include "dist/nccl/communicator.h"

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

#include "core/error.h"

namespace sono {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kNap = std::chrono::microseconds(50);

void check_nccl(ncclResult_t code, std::string_view operation) {
  if (code == ncclSuccess || code == ncclInProgress) return;
  throw CommError("NCCL: " + std::string(operation) + ": " +
                  ncclGetErrorString(code));
}

void check_cuda(cudaError_t code, std::string_view operation) {
  if (code == cudaSuccess) return;
  throw CommError("CUDA: " + std::string(operation) + ": " +
                  cudaGetErrorString(code));
}

// LibTorch's current stream, without linking its CUDA library.
cudaStream_t current_stream(int device_index) {
  const c10::impl::VirtualGuardImpl guard(at::kCUDA);
  const c10::Stream stream = guard.getStream(
      c10::Device(at::kCUDA, static_cast<c10::DeviceIndex>(device_index)));
  return static_cast<cudaStream_t>(stream.native_handle());
}

// The id made by rank 0, on every rank.
ncclUniqueId share_id(Communicator& bootstrap) {
  ncclUniqueId id = {};
  run_together(bootstrap, [&] {
    if (bootstrap.rank() == 0) {
      check_nccl(ncclGetUniqueId(&id), "ncclGetUniqueId");
    }
  });
  const std::string text =
      broadcast_string(bootstrap, std::string(id.internal, sizeof(id)));
  std::memcpy(id.internal, text.data(), sizeof(id));
  return id;
}

// A stream of the communicator's own, so that it works beside compute kernels.
class CudaStream {
 public:
  CudaStream() {
    check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking),
               "cudaStreamCreate");
  }
  ~CudaStream() { (void)cudaStreamDestroy(stream_); }
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

class CudaEvent {
 public:
  CudaEvent() {
    check_cuda(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming),
               "cudaEventCreate");
  }
  ~CudaEvent() { (void)cudaEventDestroy(event_); }
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;
  void record(cudaStream_t stream) {
    check_cuda(cudaEventRecord(event_, stream), "cudaEventRecord");
  }
  void hold_back(cudaStream_t stream) const {
    check_cuda(cudaStreamWaitEvent(stream, event_, 0), "cudaStreamWaitEvent");
  }
  bool reached() const {
    const cudaError_t code = cudaEventQuery(event_);
    if (code == cudaErrorNotReady) return false;
    check_cuda(code, "cudaEventQuery");
    return true;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(Communicator& bootstrap, int device_index,
                   double deadline_seconds)
      : rank_(bootstrap.rank()),
        world_size_(bootstrap.world_size()),
        device_index_(device_index),
        deadline_(deadline_seconds) {
    const ncclUniqueId id = share_id(bootstrap);
    run_together(bootstrap, [&] {
      check_cuda(cudaSetDevice(device_index), "cudaSetDevice");
      stream_ = std::make_unique<CudaStream>();
    });
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    try {
      check_nccl(
          ncclCommInitRankConfig(&comm_, world_size_, id, rank_, &config),
          "ncclCommInitRankConfig");
      wait_ready("NCCL start");
    } catch (...) {
      if (comm_ != nullptr) ncclCommAbort(comm_);
      throw;
    }
  }

  // Abort frees at once and, unlike destroy, waits for nobody; every exchange
  // has been waited for by then.
  ~NcclCommunicator() override { ncclCommAbort(comm_); }

  int rank() const override { return rank_; }
  int world_size() const override { return world_size_; }
  std::string_view backend() const override { return "nccl"; }
  at::DeviceType device_type() const override { return at::kCUDA; }

  // Takes over a communicator that is being made.
  NcclCommunicator(ncclComm_t comm, int rank, int world_size, int device_index,
                   double deadline_seconds)
      : rank_(rank),
        world_size_(world_size),
        device_index_(device_index),
        deadline_(deadline_seconds),
        stream_(std::make_unique<CudaStream>()),
        comm_(comm) {
    wait_ready("NCCL split");
  }

 protected:
  std::unique_ptr<Communicator> do_split(const std::vector<int>& members,
                                         int index, int color,
                                         double deadline_seconds) override {
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    ncclComm_t part = nullptr;
    check_nccl(ncclCommSplit(comm_, color, index, &part, &config),
               "ncclCommSplit");
    wait_ready("ncclCommSplit");
    return std::make_unique<NcclCommunicator>(part, index,
                                              static_cast<int>(members.size()),
                                              device_index_, deadline_seconds);
  }

  void do_exchange(const std::vector<at::Tensor>& send,
                   const std::vector<at::Tensor>& receive,
                   std::string_view operation) override {
    // The queue's thread has a current device of its own.
    const c10::DeviceGuard guard(
        {at::kCUDA, static_cast<c10::DeviceIndex>(device_index_)});
    // After what was computed so far, and beside what follows.
    CudaEvent computed;
    computed.record(current_stream(device_index_));
    const cudaStream_t stream = stream_->get();
    computed.hold_back(stream);
    check_nccl(ncclGroupStart(), operation);
    for (int r = 0; r < world_size_; ++r) {
      if (send[r].defined() && send[r].nbytes() > 0) {
        check_nccl(ncclSend(send[r].const_data_ptr(), send[r].nbytes(),
                            ncclUint8, r, comm_, stream),
                   operation);
      }
      if (receive[r].defined() && receive[r].nbytes() > 0) {
        check_nccl(ncclRecv(receive[r].data_ptr(), receive[r].nbytes(),
                            ncclUint8, r, comm_, stream),
                   operation);
      }
    }
    check_nccl(ncclGroupEnd(), operation);
    wait_ready(operation);
    CudaEvent done;
    done.record(stream);
    poll(operation, [&] { return done.reached(); });
  }

 private:
  // Until the communicator has taken what it was given.
  void wait_ready(std::string_view operation) {
    poll(operation, [] { return true; });
  }

  // Until NCCL is idle without error and `reached`; CommError past the
  // deadline.
  template <class Reached>
  void poll(std::string_view operation, Reached&& reached) {
    const auto start = Clock::now();
    for (;;) {
      ncclResult_t state = ncclSuccess;
      check_nccl(ncclCommGetAsyncError(comm_, &state), operation);
      check_nccl(state, operation);
      if (state == ncclSuccess && reached()) return;
      if (abandoned()) throw CommError("abandoned");
      if (Clock::now() - start > deadline_) {
        throw CommError("rank " + std::to_string(rank_) + " of " +
                        std::to_string(world_size_) + " waited " +
                        std::to_string(deadline_.count()) + " s in " +
                        std::string(operation) + " for a peer or a device");
      }
      std::this_thread::sleep_for(kNap);
    }
  }

  int rank_;
  int world_size_;
  int device_index_;
  std::chrono::duration<double> deadline_;
  std::unique_ptr<CudaStream> stream_;
  ncclComm_t comm_ = nullptr;
};

}  // namespace

bool nccl_available() { return true; }

NcclVersions nccl_versions() {
  const auto text = [](int code) {  // 22809 is 2.28.9
    return std::to_string(code / 10000) + "." +
           std::to_string(code / 100 % 100) + "." + std::to_string(code % 100);
  };
  int running = 0;
  check_nccl(ncclGetVersion(&running), "ncclGetVersion");
  return {text(NCCL_VERSION_CODE), text(running)};
}

std::vector<std::string> cuda_devices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) return {};  // no driver
  std::vector<std::string> devices;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties;
    check_cuda(cudaGetDeviceProperties(&properties, i),
               "cudaGetDeviceProperties");
    std::string uuid = "GPU-";
    for (const char byte : properties.uuid.bytes) {
      constexpr char kDigits[] = "0123456789abcdef";
      uuid += kDigits[static_cast<unsigned char>(byte) >> 4];
      uuid += kDigits[static_cast<unsigned char>(byte) & 15];
    }
    devices.push_back(uuid);
  }
  return devices;
}

std::string gpu_kind(int device_index) {
  cudaDeviceProp properties;
  int runtime = 0, driver = 0;
  if (cudaGetDeviceProperties(&properties, device_index) != cudaSuccess ||
      cudaRuntimeGetVersion(&runtime) != cudaSuccess ||
      cudaDriverGetVersion(&driver) != cudaSuccess) {
    throw ConfigError("GPU " + std::to_string(device_index) +
                      " does not answer; look at nvidia-smi");
  }
  return std::string("cuda ") + properties.name + " sm_" +
         std::to_string(properties.major) + std::to_string(properties.minor) +
         " runtime " + std::to_string(runtime) + " driver " +
         std::to_string(driver);
}

std::unique_ptr<Communicator> make_nccl_communicator(Communicator& bootstrap,
                                                     int device_index,
                                                     double deadline_seconds) {
  return std::make_unique<NcclCommunicator>(bootstrap, device_index,
                                            deadline_seconds);
}

}  // namespace sono
