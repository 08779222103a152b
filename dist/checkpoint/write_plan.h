#pragma once
// Who writes which block of a checkpoint.
//
// A block of 1 MiB is written by one rank alone, since shared file systems
// damage pages that two hosts write. It is the rank that holds most of the
// block's bytes; ranks that hold equally much take contiguous runs of blocks.
// What the writer does not hold is sent to it. Where every rank holds
// everything nothing is sent.

#include <string>
#include <vector>

#include "dist/checkpoint/file_layout.h"

namespace sono {

// Bytes of a block that another rank sends to its writer.
struct Transfer {
  int from;
  int to;
  int file;
  Range bytes;
};

struct WritePlan {
  std::vector<std::vector<int>> writers;  // [file][block]: the rank
  std::vector<Transfer> transfers;        // by file and position
};

// `held`: of each rank. Error when no rank holds some element.
WritePlan plan_writes(const std::vector<FileLayout>& files,
                      const std::vector<HeldRanges>& held);

// Held ranges as text, to send them to other ranks.
std::string to_text(const HeldRanges& held);
HeldRanges held_from_text(const std::string& text);

}  // namespace sono
