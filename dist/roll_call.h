#pragma once
// Who the ranks are, and whether they can work together: the same program, a
// device each, and the places on their hosts that their launcher says.

#include <string>
#include <vector>

#include "dist/communicator.h"

namespace sono {

struct RankIdentity {
  int rank = 0;
  int local_rank = -1;  // among the ranks of its host; -1: not told
  std::string host;
  std::string device = "cpu";  // or what tells one accelerator from another
  std::string program;         // SHA-256 of the binary
};

// ConfigError with the remedy when two ranks run different programs, share an
// accelerator, have one local rank on one host, or a local rank that is not
// below the number of ranks there; names the ranks and the host.
void check_identities(const std::vector<RankIdentity>& ranks);

// Tells every rank who the others are and checks them. All ranks must call.
std::vector<RankIdentity> call_roll(Communicator& comm,
                                    const RankIdentity& own);

}  // namespace sono
