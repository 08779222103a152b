#include "dist/rank_guard.h"

#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "core/error.h"
#include "dist/recorder/rank_files.h"
#include "dist/recorder/rank_text.h"

namespace sono {
namespace {

constexpr int kExitPeerFailed = 4;

// A page that guard and rank share: the path of the ring, once it is known.
// Like a signal handler's flag it is the process's own, so there is one.
char* shared_path = nullptr;

sigset_t guarded_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGUSR1, SIGUSR2, SIGTERM, SIGINT}) {
    sigaddset(&set, number);
  }
  return set;
}

struct RankEnd {
  int status;          // of waitpid
  bool job_is_ending;  // the launcher has told the guard to end
};

RankEnd wait_for_rank(pid_t rank, const sigset_t& signals) {
  RankEnd end = {0, false};
  for (;;) {
    const int number = ::sigwaitinfo(&signals, nullptr);
    if (number == SIGUSR1 || number == SIGUSR2) ::kill(rank, number);
    // The launcher sends these to the rank as well.
    if (number == SIGTERM || number == SIGINT) end.job_is_ending = true;
    if (::waitpid(rank, &end.status, WNOHANG) == rank) return end;
  }
}

// The rank ended as it wanted, or has said why it did not.
bool spoke(const std::optional<RankView>& view, int status) {
  if (!WIFEXITED(status)) return false;
  if (WEXITSTATUS(status) == kExitPeerFailed) return true;
  // Before there was a session, only main can have ended it.
  return shared_path[0] == 0 || !view || view->end != RingEnd::kRunning;
}

std::string how_it_ended(int status) {
  if (WIFEXITED(status)) {
    return "ended with code " + std::to_string(WEXITSTATUS(status)) +
           " without a word";
  }
  const int number = WTERMSIG(status);
  std::string text = "was ended by signal " + std::to_string(number) + " (" +
                     ::strsignal(number) + ")";
  if (number == SIGKILL) {
    text += ", as the kernel does when memory runs out (see dmesg)";
  }
  return text;
}

int report(const RankEnd& end) {
  // A rank that ends well removes its ring.
  const auto view = read_ring(shared_path);
  if (spoke(view, end.status)) return WEXITSTATUS(end.status);
  if (end.job_is_ending) return kExitPeerFailed;
  if (!view) {
    std::fprintf(stderr, "sonoforge: a rank on %s %s\n", host_name().c_str(),
                 how_it_ended(end.status).c_str());
    return kExitPeerFailed;
  }
  std::fprintf(stderr, "sonoforge: %s %s; it was in phase %s of step %lld\n",
               rank_text(*view).c_str(), how_it_ended(end.status).c_str(),
               std::string(phase_name(view->phase)).c_str(),
               static_cast<long long>(view->step));
  mark_killed(shared_path);
  if (!view->shared_folder.empty()) {
    (void)keep_ring(shared_path, view->shared_folder, view->rank);
  }
  return kExitPeerFailed;
}

}  // namespace

std::optional<int> guard_rank(const Environment& environment) {
  if (detect_launch(environment) != LaunchKind::kMpi) return std::nullopt;
  void* page = ::mmap(nullptr, PATH_MAX, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw ResourceError("no memory for a rank's guard");
  shared_path = static_cast<char*>(page);
  const sigset_t signals = guarded_signals();
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  const pid_t guard = ::getpid();
  const pid_t rank = ::fork();
  if (rank < 0) throw ResourceError("no process for a rank: fork failed");
  if (rank == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != guard) ::_exit(kExitPeerFailed);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return std::nullopt;
  }
  return report(wait_for_rank(rank, signals));
}

void tell_guard(const std::filesystem::path& ring) {
  if (shared_path == nullptr || ring.native().size() >= PATH_MAX) return;
  std::strcpy(shared_path, ring.c_str());
}

}  // namespace sono
