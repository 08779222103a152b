// A rank that makes make-believe training steps over the real session, and in
// which one thing goes wrong at step 5:
//   faulty_rank FOLDER FAULT CULPRIT START_SECONDS STEP_SECONDS
// FOLDER is the run's folder, shared by the ranks; CULPRIT is the rank that
// FAULT happens to: none, missing, sleep, exit, wrong-size, skip, save (what
// goes wrong with FOLDER/save is up to the caller). It ends as `sonoforge`
// does.

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "core/atomic_file.h"
#include "core/error.h"
#include "dist/bootstrap.h"
#include "dist/rank_guard.h"
#include "dist/recorder/flight_recorder.h"
#include "dist/recorder/rank_files.h"

namespace sono {
namespace {

constexpr int kFaultStep = 5;
constexpr int kSteps = 2000;  // a minute or two, unless something goes wrong
constexpr auto kForwardTime = std::chrono::milliseconds(20);
constexpr std::size_t kSaveBytes = 300 << 10;  // more than a pipe holds

struct Plan {
  std::filesystem::path folder;
  std::string fault;
  int culprit;
};

void sleep_for_ever() {
  for (;;) ::pause();
}

// One plain write, which blocks where the disk does.
void write_save(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) throw_file_error(path, "open", errno);
  const std::vector<char> bytes(kSaveBytes, 's');
  const ssize_t size = ::write(fd, bytes.data(), bytes.size());
  const int error_number = size < 0 ? errno : ENOSPC;
  ::close(fd);
  if (size != static_cast<ssize_t>(bytes.size())) {
    throw_file_error(path, "write", error_number);
  }
}

void step(Communicator& comm, const Plan& plan, int number) {
  FlightRecorder* recorder = comm.recorder();
  const bool now = number == kFaultStep && comm.rank() == plan.culprit;
  {
    const PhaseMark mark(recorder, Phase::kForward, number);
    std::this_thread::sleep_for(kForwardTime);
    if (now && plan.fault == "sleep") sleep_for_ever();
    if (now && plan.fault == "exit") std::exit(1);
  }
  {
    const PhaseMark mark(recorder, Phase::kReduce, number);
    const bool wrong = now && plan.fault == "wrong-size";
    if (!(now && plan.fault == "skip")) {
      comm.all_reduce(at::ones({wrong ? 96 : 64}));
    }
  }
  const PhaseMark mark(recorder, Phase::kSave, number);
  run_together(comm, [&] {
    if (now && plan.fault == "save") write_save(plan.folder / "save");
  });
}

void run_rank(Communicator& comm, const Plan& plan) {
  const auto folder = recorder_folder(plan.folder);
  make_directories(folder);
  comm.recorder()->set_shared_folder(folder);
  for (int number = 0; number < kSteps; ++number) step(comm, plan, number);
}

int run(const std::vector<std::string>& args) {
  if (args.size() != 5) throw ConfigError("see the file's head for arguments");
  const Plan plan = {args[0], args[1], std::stoi(args[2])};
  const Environment environment = process_environment();
  if (plan.fault == "missing" &&
      launch_place(environment).rank == plan.culprit) {
    sleep_for_ever();
  }
  SessionOptions options;
  options.deadlines = {std::stod(args[3]), std::stod(args[4])};
  if (const auto folder = environment("FAULTY_RECORDER")) {
    options.recorder_folder = *folder;
  }
  const auto session = make_session(options);
  session->run([&](Communicator& comm) { run_rank(comm, plan); });
  return 0;
}

}  // namespace
}  // namespace sono

int main(int argc, char** argv) {
  try {
    const auto code = sono::guard_rank(sono::process_environment());
    if (code) return *code;
    return sono::run({argv + 1, argv + argc});
  } catch (const sono::Error& error) {
    std::fprintf(stderr, "faulty_rank: %s\n", error.what());
    return error.exit_code();
  }
}
