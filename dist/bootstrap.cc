#include "dist/bootstrap.h"

#include <unistd.h>

#include <algorithm>
#include <exception>

#include "core/error.h"
#include "core/hash.h"
#include "core/message.h"
#include "dist/local/communicator.h"
#include "dist/mpi/communicator.h"
#include "dist/nccl/communicator.h"
#include "dist/rank_guard.h"
#include "dist/recorder/rank_files.h"
#include "dist/recorder/rank_monitor.h"
#include "dist/roll_call.h"

namespace sono {
namespace {

constexpr double kGraceSeconds = 5;

RecorderOptions recorder_options(const SessionOptions& options,
                                 const LaunchPlace& place,
                                 const RankIdentity& identity) {
  RecorderOptions recorder;
  recorder.folder = options.recorder_folder;
  recorder.job = place.job;
  recorder.rank = place.rank;
  recorder.world_size = place.world_size;
  recorder.local_rank = place.local_rank;
  recorder.host = identity.host;
  recorder.device = identity.device;
  recorder.build = identity.program.substr(0, 32);
  recorder.deadlines = options.deadlines;
  return recorder;
}

RankIdentity own_identity(const LaunchPlace& place, const RankDevice& device) {
  return {place.rank, place.local_rank, host_name(), device.name,
          sha256_file("/proc/self/exe")};
}

// What a rank's recording says once its body is over. A broken communication
// leaves it where it was, for people to look at.
RingEnd end_of(const std::exception_ptr& error) {
  if (!error) return RingEnd::kDone;
  try {
    std::rethrow_exception(error);
  } catch (const CommError&) {
    return RingEnd::kFailed;
  } catch (...) {
    return RingEnd::kDone;
  }
}

class LocalSession : public Session {
 public:
  explicit LocalSession(const SessionOptions& options)
      : options_(options), device_(choose_device(options, 0)) {
    if (device_.index >= 0 && options.local_ranks > 1) {
      throw ConfigError("--local-ranks " + std::to_string(options.local_ranks) +
                        ": threads as ranks are for the CPU; start one process "
                        "a GPU with mpirun or srun");
    }
    LaunchPlace place = {0, options.local_ranks, 0,
                         "pid" + std::to_string(::getpid())};
    const RankIdentity identity = own_identity(place, device_);
    for (; place.rank < options.local_ranks; ++place.rank) {
      monitors_.push_back(std::make_unique<RankMonitor>(
          recorder_options(options, place, identity)));
    }
  }
  int rank() const override { return 0; }
  int world_size() const override { return options_.local_ranks; }
  const RankDevice& device() const override { return device_; }

  void run(const std::function<void(Communicator&)>& body) override {
    const auto recorded = [&](Communicator& comm) {
      FlightRecorder& recorder = monitors_[comm.rank()]->recorder;
      comm.set_recorder(&recorder);
      try {
        body(comm);
        recorder.set_end(RingEnd::kDone);
      } catch (...) {
        recorder.set_end(end_of(std::current_exception()));
        throw;
      }
    };
    if (options_.local_ranks == 1) {
      recorded(*make_single_rank());
    } else {
      run_local_ranks(options_.local_ranks, recorded);
    }
  }

 private:
  SessionOptions options_;
  RankDevice device_;
  std::vector<std::unique_ptr<RankMonitor>> monitors_;
};

class ProcessSession : public Session {
 public:
  ProcessSession(const SessionOptions& options, const LaunchPlace& place)
      : device_(choose_device(options, place.local_rank)),
        identity_(own_identity(place, device_)),
        monitor_(recorder_options(options, place, identity_)),
        mpi_(start_mpi()),
        comm_(start_communicator()) {}
  int rank() const override { return mpi_->rank(); }
  int world_size() const override { return mpi_->world_size(); }
  const RankDevice& device() const override { return device_; }

  void check(const Environment& environment) {
    guarded([&] {
      check_world(environment, mpi_->world_size());
      if (identity_.rank != mpi_->rank()) {
        throw ConfigError("the environment says rank " +
                          std::to_string(identity_.rank) + ", MPI says " +
                          std::to_string(mpi_->rank()) +
                          "; do not set OMPI_COMM_WORLD_RANK, PMIX_RANK or "
                          "PMI_RANK yourself");
      }
      call_roll(*comm_, identity_);
    });
  }

  void run(const std::function<void(Communicator&)>& body) override {
    guarded([&] {
      const auto nccl = start_nccl();
      body(nccl ? *nccl : *comm_);
      comm_->barrier();  // so that nobody waits long in MPI_Finalize
    });
    monitor_.recorder.set_end(RingEnd::kDone);
    monitor_.watchdog.expect_end();
  }

 private:
  // The wait for ranks that never come is one like any other.
  std::unique_ptr<MpiSession> start_mpi() {
    FlightRecorder& recorder = monitor_.recorder;
    tell_guard(recorder.path());
    const std::uint64_t record =
        recorder.begin_now({"MPI_Init", recorder.group("start"), 1});
    auto session = std::make_unique<MpiSession>();
    recorder.done(record);
    recorder.set_world_size(session->world_size());
    return session;
  }

  std::unique_ptr<Communicator> start_communicator() {
    FlightRecorder& recorder = monitor_.recorder;
    const std::uint64_t record =
        recorder.begin_now({"MPI_Comm_dup", recorder.group("start"), 2});
    auto comm = make_mpi_communicator(*mpi_);
    recorder.done(record);
    comm->set_recorder(&recorder);
    return comm;
  }

  // MPI carries what ranks on the CPU exchange, and NCCL's start.
  std::unique_ptr<Communicator> start_nccl() {
    if (device_.index < 0 || mpi_->world_size() == 1) return nullptr;
    auto comm = make_nccl_communicator(*comm_, device_.index);
    comm->set_recorder(&monitor_.recorder);
    return comm;
  }

  void guarded(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& e) {
      end_unless_all_fail(e.what(), e.exit_code());
      throw;
    } catch (const std::exception& e) {
      end_unless_all_fail(e.what(), 1);
      throw;
    }
  }

  // Ranks that fail together meet here. So does nobody who works on or waits.
  void end_unless_all_fail(const std::string& message, int exit_code) {
    const RingEnd end = end_of(std::current_exception());
    monitor_.watchdog.expect_end();
    const bool all = mpi_->world_size() == 1 || mpi_->all_arrive(kGraceSeconds);
    if (end == RingEnd::kFailed) tell_who_is_stuck(message, all);
    monitor_.recorder.set_end(all ? end : RingEnd::kFailed);
    if (all) return;
    log_error("rank " + std::to_string(mpi_->rank()) + ": " + message +
              "; ending the other ranks");
    mpi_->abort(exit_code);
  }

  // Where all have failed, one message is enough.
  void tell_who_is_stuck(const std::string& message, bool all_failed) {
    if (!all_failed || mpi_->rank() == 0) {
      log_error(monitor_.watchdog.report(message, false).message);
    }
    monitor_.recorder.keep();
  }

  RankDevice device_;
  RankIdentity identity_;
  RankMonitor monitor_;
  std::unique_ptr<MpiSession> mpi_;
  std::unique_ptr<Communicator> comm_;
};

}  // namespace

RankDevice choose_device(const SessionOptions& options, int local_rank) {
  if (options.device == "cpu") return {};
  const auto devices =
      options.list_devices ? options.list_devices() : cuda_devices();
  if (devices.empty()) {
    throw ConfigError("device " + options.device + " is asked for, but " +
                      host_name() +
                      " shows none; look at nvidia-smi and "
                      "CUDA_VISIBLE_DEVICES, or take device cpu");
  }
  const std::size_t index =
      static_cast<std::size_t>(std::max(local_rank, 0)) % devices.size();
  return {devices[index], static_cast<int>(index)};
}

std::unique_ptr<Session> make_session(const SessionOptions& options) {
  const Environment environment = process_environment();
  if (options.local_ranks < 1) {
    throw ConfigError("local ranks = " + std::to_string(options.local_ranks) +
                      ": must be at least 1");
  }
  if (detect_launch(environment) == LaunchKind::kAlone) {
    return std::make_unique<LocalSession>(options);
  }
  if (options.local_ranks > 1) {
    throw ConfigError(
        "local ranks are for a program started alone; under mpirun or srun "
        "each process is one rank: leave --local-ranks away");
  }
  auto session =
      std::make_unique<ProcessSession>(options, launch_place(environment));
  session->check(environment);
  return session;
}

}  // namespace sono
