#pragma once
// Whether a folder behaves on all ranks as a run needs it: one file system for
// all, renames that show the old file or the new one and nothing else, files
// that one of many makers gets. And how fast it is.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "dist/communicator.h"
#include "launch/doctor/findings.h"
#include "launch/doctor/folder_facts.h"

namespace sono {

struct FolderProbe {
  std::filesystem::path folder;
  std::int64_t bytes = 64 << 20;  // written and read by each rank
  double seconds = 0.5;           // of replacing and reading a file
};

// The facts of every rank, on every rank. Makes the folder, works in one of its
// own there and removes that again. All ranks must call.
std::vector<FolderFacts> probe_folder(Communicator& comm,
                                      const FolderProbe& probe);

// hosts[r] is rank r's host.
void judge_folder(const std::filesystem::path& folder,
                  const std::vector<FolderFacts>& ranks,
                  const std::vector<std::string>& hosts, Findings& findings);

}  // namespace sono
