#include "dist/parameter_gather.h"

namespace sono {

void gather_parameters(Communicator& comm, Arena& arena) {
  const int n = comm.world_size();
  if (arena.zero_stage() < 1 || arena.zero_stage() > 2 || n == 1) return;
  for (std::size_t b = 0; b < arena.plan().buckets().size(); ++b) {
    std::vector<at::Tensor> send(n), receive(n);
    for (int r = 0; r < n; ++r) {
      if (r == comm.rank()) continue;
      send[r] = arena.params.view(arena.plan().chunk(b, comm.rank()));
      receive[r] = arena.params.view(arena.plan().chunk(b, r));
    }
    comm.exchange(send, receive, "parameter gather");
  }
}

}  // namespace sono
