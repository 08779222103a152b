#pragma once
// After a sharded update (ZeRO stage 1 and up) each rank has new values for the
// parameters it owns; this gives them to everybody.

#include "dist/arena.h"
#include "dist/communicator.h"

namespace sono {

// Nothing to do without sharding. All ranks must call.
void gather_parameters(Communicator& comm, Arena& arena);

}  // namespace sono
