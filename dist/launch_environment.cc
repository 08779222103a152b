#include "dist/launch_environment.h"

#include <cctype>
#include <cstdlib>
#include <initializer_list>

#include "core/error.h"

namespace sono {
namespace {

// The first of these variables that is set.
std::optional<std::string> first_of(const Environment& environment,
                                    std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (auto value = environment(name)) return value;
  }
  return std::nullopt;
}

int number_of(const Environment& environment, int otherwise,
              std::initializer_list<const char*> names) {
  const auto text = first_of(environment, names);
  return text ? std::atoi(text->c_str()) : otherwise;
}

// Tasks of the Slurm step this process is in; 1 outside of a step.
int slurm_tasks(const Environment& environment) {
  if (!environment("SLURM_STEP_ID")) return 1;
  return number_of(environment, 1, {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"});
}

[[noreturn]] void throw_not_joined(int tasks) {
  throw ConfigError("Slurm started " + std::to_string(tasks) +
                    " tasks, but MPI does not join them; start them with "
                    "'srun --mpi=pmix', or run mpirun inside the batch script");
}

// Fit for a file's name.
std::string plain(std::string text) {
  constexpr std::size_t kLongest = 40;
  for (char& c : text) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.') c = '-';
  }
  return text.substr(0, kLongest);
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

LaunchKind detect_launch(const Environment& environment) {
  if (first_of(environment,
               {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"})) {
    return LaunchKind::kMpi;
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

LaunchPlace launch_place(const Environment& environment) {
  LaunchPlace place;
  place.rank = number_of(environment, 0,
                         {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"});
  place.world_size = number_of(
      environment, 0,
      {"OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"});
  place.local_rank = number_of(environment, -1,
                               {"OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"});
  std::string job =
      first_of(environment, {"PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid"})
          .value_or("mpi");
  if (const auto slurm = environment("SLURM_JOB_ID")) job = *slurm + "-" + job;
  place.job = plain(job);
  return place;
}

}  // namespace sono
