#include "launch/slurm/slurm_commands.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>

#include "core/error.h"

extern char** environ;

namespace sono {
namespace {

class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) {
      throw ResourceError("no pipe to a program: too many open files");
    }
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int end(int which) const { return ends_[which]; }
  void close_end(int which) {
    if (ends_[which] >= 0) ::close(ends_[which]);
    ends_[which] = -1;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

// False at the end of what comes.
bool read_some(int fd, std::string& text) {
  std::array<char, 4096> bytes;
  const ssize_t count = ::read(fd, bytes.data(), bytes.size());
  if (count > 0) text.append(bytes.data(), static_cast<std::size_t>(count));
  return count > 0 || (count < 0 && errno == EINTR);
}

void read_both(Pipe& out, Pipe& error, ProcessOutput& result) {
  std::array<pollfd, 2> ends = {
      {{out.end(0), POLLIN, 0}, {error.end(0), POLLIN, 0}}};
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    if (::poll(ends.data(), ends.size(), -1) < 0 && errno != EINTR) return;
    if (ends[0].revents != 0 && !read_some(ends[0].fd, result.out)) {
      ends[0] = {-1, 0, 0};
    }
    if (ends[1].revents != 0 && !read_some(ends[1].fd, result.error)) {
      ends[1] = {-1, 0, 0};
    }
  }
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) {
    parts.push_back(part);
  }
  return parts;
}

// "12" of "12_3" and of "12_[4-7%2]".
std::string job_of(const std::string& id) {
  return id.substr(0, id.find_first_of("_+"));
}

}  // namespace

ProcessOutput run_process(const std::vector<std::string>& words) {
  Pipe out, error;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.end(1), 1);
  ::posix_spawn_file_actions_adddup2(&actions, error.end(1), 2);
  std::vector<char*> argv;
  for (const std::string& word : words) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int failed =
      ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  out.close_end(1);
  error.close_end(1);
  ProcessOutput result;
  if (failed != 0) {
    result.exit_code = 127;
    result.error = words[0] + ": not found";
    return result;
  }
  read_both(out, error, result);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit_code =
      WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

Launcher choose_launcher(const std::string& wanted, int cpus_per_rank) {
  if (wanted != "auto") return choose_launcher(wanted, cpus_per_rank, {});
  return choose_launcher(wanted, cpus_per_rank,
                         run_process({"srun", "--mpi=list"}));
}

Launcher choose_launcher(const std::string& wanted, int cpus_per_rank,
                         const ProcessOutput& listed) {
  // srun takes no --cpus-per-task over from sbatch. It ends the other ranks
  // when they stay a minute longer than the first that has ended.
  const std::vector<std::string> srun = {
      "srun", "--mpi=pmix", "--cpus-per-task=" + std::to_string(cpus_per_rank),
      "--wait=60"};
  // In a session of its own: a SIGTERM to the job would make mpirun kill the
  // ranks before they have saved.
  const std::vector<std::string> mpirun = {"setsid", "mpirun", "--bind-to",
                                           "none"};
  if (wanted == "srun") return {srun, "site.launcher = srun"};
  if (wanted == "mpirun") return {mpirun, "site.launcher = mpirun"};
  if (listed.exit_code == 127) {
    return {srun, "no Slurm here to ask; else set site.launcher"};
  }
  if (listed.exit_code != 0) {
    return {srun, "`srun --mpi=list` does not tell (" +
                      first_line(listed.error) + "); else set site.launcher"};
  }
  const std::string list = listed.out + listed.error;
  if (list.find("pmix") != std::string::npos) {
    return {srun, "`srun --mpi=list` names pmix"};
  }
  return {mpirun, "`srun --mpi=list` names no pmix"};
}

std::vector<QueuedJob> queued_jobs(const std::vector<std::string>& ids) {
  std::string list;
  for (const std::string& id : ids) list += (list.empty() ? "" : ",") + id;
  if (ids.empty()) return {};
  const ProcessOutput found =
      run_process({"squeue", "-h", "-j", list, "-o", "%i|%T|%M|%l|%R"});
  // What it says of a job that it has forgotten.
  const bool forgotten =
      found.error.find("Invalid job id") != std::string::npos;
  if (found.exit_code != 0 && !forgotten) {
    throw CommError("squeue cannot tell which jobs wait or run: " +
                    first_line(found.error));
  }
  std::vector<QueuedJob> jobs;
  for (const std::string& line : split(found.out, '\n')) {
    const auto parts = split(line, '|');
    if (parts.size() < 5) continue;
    const std::string job = job_of(parts[0]);
    if (std::find(ids.begin(), ids.end(), job) == ids.end()) continue;
    jobs.push_back({parts[0], job, parts[1], parts[4], parts[2], parts[3]});
  }
  return jobs;
}

std::string submit_script(const std::string& script,
                          const std::string& dependencies) {
  std::vector<std::string> words = {"sbatch", "--parsable"};
  if (!dependencies.empty()) {
    words.push_back("--dependency=" + dependencies);
    words.push_back("--kill-on-invalid-dep=yes");
  }
  words.push_back(script);
  const ProcessOutput submitted = run_process(words);
  if (submitted.exit_code == 127) {
    throw ConfigError(
        "sbatch: not found; submit on a login node of a Slurm cluster, or only "
        "write the scripts with --dry-run");
  }
  // "12" or "12;cluster".
  std::string id = first_line(submitted.out);
  id = id.substr(0, id.find(';'));
  if (submitted.exit_code != 0 || id.empty()) {
    throw ConfigError("sbatch refused " + script + ": " +
                      first_line(submitted.error) +
                      "; mend the site file or the options, then submit again");
  }
  return id;
}

}  // namespace sono
