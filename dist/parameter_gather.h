#pragma once
// After a sharded update (ZeRO stages 1 and 2) each rank has new values for the
// parameters it owns; this gives them to everybody.

#include "dist/arena.h"
#include "dist/communicator.h"

namespace sono {

// Stages 1 and 2; nothing to do in the others, where no rank lacks a parameter
// or ParameterUnits fetches them. All ranks must call.
void gather_parameters(Communicator& comm, Arena& arena);

}  // namespace sono
