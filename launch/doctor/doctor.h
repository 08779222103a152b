#pragma once
// `sonoforge doctor`: is this place fit for a run, and how fast will it be?

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/option.h"
#include "dist/communicator.h"
#include "experiments/recipe.h"

namespace sono {

struct DoctorOptions {
  const Recipe* recipe = nullptr;  // none: the place alone
  std::filesystem::path out;       // where the recipe's run would lie
  std::vector<std::filesystem::path> folders;  // shared by all ranks
  std::filesystem::path json;                  // file for machines; empty: none
  int disk_mb = 64;      // written by each rank in each folder
  int network_mb = 64;   // of the largest all-reduce
  bool threads = false;  // the ranks are threads

  void validate() const;
};

// Looks at everything in turn; rank 0 prints what it finds, section by section,
// and writes the file. Returns the exit code on every rank. All ranks must
// call.
int run_doctor(const DoctorOptions& options, Communicator& comm);

}  // namespace sono
