#pragma once
// What a rank is busy with, and how long it may make no progress there.

#include <cstdint>
#include <string_view>

namespace sono {

enum class Phase : std::uint8_t {
  kStart,     // from the program's start until the run's folder is open
  kStage,     // between steps: preparing, checking, reporting, waiting for all
  kData,      // a training step: its samples
  kForward,   // the network and the loss
  kBackward,  // the gradients
  kReduce,    // adding the gradients over ranks
  kOptimizer,
  kSave,  // a checkpoint
  kGenerate,
  kEncode,
  kEvaluate,
};

// "start", "stage", "data", ...
std::string_view phase_name(Phase phase);
// The phase of that name; kStage for a name that is none.
Phase phase_of_name(std::string_view name);

// Seconds without any progress after which a rank counts as stuck.
struct Deadlines {
  double start = 600;  // kStart and kStage: reading, hashing, preparing
  double step = 60;    // all others, and any wait for a rank that is silent
};

// For a rank that works.
double work_deadline(Phase phase, const Deadlines& deadlines);

// Do ranks wait for one another here only because the work is uneven? Then a
// wait lasts for as long as those who are missing show signs of life.
bool waits_for_work(Phase phase);

}  // namespace sono
