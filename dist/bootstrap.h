#pragma once
// The world that this process is in, from start to end of the program.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dist/communicator.h"
#include "dist/launch_environment.h"
#include "dist/recorder/phase.h"

namespace sono {

struct SessionOptions {
  int local_ranks = 1;  // threads as ranks, when started alone
  Deadlines deadlines;
  // Where the ranks' recordings lie, on each host; empty: $TMPDIR, else /tmp.
  std::filesystem::path recorder_folder;
  // "cpu", or "cuda": then each rank takes one of the devices it sees.
  std::string device = "cpu";
  // The devices seen here, each by what tells it from all others; empty stands
  // for those of NVIDIA.
  std::function<std::vector<std::string>()> list_devices;
};

// One of the devices seen, by local rank; or the CPU.
struct RankDevice {
  std::string name = "cpu";  // what tells it from all others
  int index = -1;            // among those seen; -1: the CPU
};

// The world from start to end of the program; made and destroyed by main.
class Session {
 public:
  virtual ~Session() = default;
  // Of this process; 0 of n with threads as ranks.
  virtual int rank() const = 0;
  virtual int world_size() const = 0;
  // Of this process's ranks.
  virtual const RankDevice& device() const = 0;

  // Runs `body` once on each rank of this process. An error that every rank
  // has is rethrown. When one rank alone fails, its error is logged and the
  // whole job ends with its exit code, since peers may wait for ever. A rank
  // that makes no progress for longer than its phase allows ends the job too
  // (dist/recorder/watchdog.h).
  virtual void run(const std::function<void(Communicator&)>& body) = 0;
};

// ConfigError when local ranks are asked for under mpirun or srun, when the
// device that is asked for is not there, and as in launch_environment.h and
// roll_call.h. All ranks must call.
std::unique_ptr<Session> make_session(const SessionOptions& options);

// As of RankDevice. ConfigError when there is none.
RankDevice choose_device(const SessionOptions& options, int local_rank);

}  // namespace sono
