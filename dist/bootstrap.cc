#include "dist/bootstrap.h"

#include <cstdlib>

#include "core/error.h"
#include "core/message.h"
#include "dist/local/communicator.h"
#include "dist/mpi/communicator.h"

namespace sono {
namespace {

constexpr double kGraceSeconds = 5;

// Tasks of the Slurm step this process is in; 1 outside of a step.
int slurm_tasks(const Environment& environment) {
  if (!environment("SLURM_STEP_ID")) return 1;
  for (const char* name : {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"}) {
    if (const auto text = environment(name)) return std::atoi(text->c_str());
  }
  return 1;
}

[[noreturn]] void throw_not_joined(int tasks) {
  throw ConfigError("Slurm started " + std::to_string(tasks) +
                    " tasks, but MPI does not join them; start them with "
                    "'srun --mpi=pmix', or run mpirun inside the batch script");
}

class LocalSession : public Session {
 public:
  explicit LocalSession(const SessionOptions& options) : options_(options) {}
  int rank() const override { return 0; }
  int world_size() const override { return options_.local_ranks; }
  void run(const std::function<void(Communicator&)>& body) override {
    if (options_.local_ranks == 1) {
      body(*make_single_rank());
    } else {
      run_local_ranks(options_.local_ranks, body, options_.deadline_seconds);
    }
  }

 private:
  SessionOptions options_;
};

class ProcessSession : public Session {
 public:
  explicit ProcessSession(const SessionOptions& options)
      : comm_(make_mpi_communicator(mpi_, options.deadline_seconds)) {}
  int rank() const override { return mpi_.rank(); }
  int world_size() const override { return mpi_.world_size(); }

  void run(const std::function<void(Communicator&)>& body) override {
    try {
      body(*comm_);
    } catch (const Error& e) {
      end_unless_all_fail(e.what(), e.exit_code());
      throw;
    } catch (const std::exception& e) {
      end_unless_all_fail(e.what(), 1);
      throw;
    }
  }

 private:
  // Ranks that fail together meet here. So does nobody who works on or waits.
  void end_unless_all_fail(const std::string& message, int exit_code) {
    if (mpi_.world_size() == 1 || mpi_.all_arrive(kGraceSeconds)) return;
    log_error("rank " + std::to_string(mpi_.rank()) + ": " + message +
              "; ending the other ranks");
    mpi_.abort(exit_code);
  }

  MpiSession mpi_;
  std::unique_ptr<Communicator> comm_;
};

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

LaunchKind detect_launch(const Environment& environment) {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"}) {
    if (environment(name)) return LaunchKind::kMpi;
  }
  // MPI_Init would fail or see one process; say why before it does.
  const int tasks = slurm_tasks(environment);
  if (tasks > 1) throw_not_joined(tasks);
  return LaunchKind::kAlone;
}

void check_world(const Environment& environment, int mpi_world_size) {
  // Under mpirun the Slurm step is the one of mpirun's own daemons.
  if (environment("OMPI_COMM_WORLD_SIZE")) return;
  const int tasks = slurm_tasks(environment);
  if (tasks > 1 && mpi_world_size == 1) throw_not_joined(tasks);
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
  auto session = std::make_unique<ProcessSession>(options);
  check_world(environment, session->world_size());
  return session;
}

}  // namespace sono
