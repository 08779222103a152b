#include "dist/reducer/gradient_reducer.h"

#include "dist/reducer/lane_by_lane_reducer.h"
#include "dist/reducer/subtree_reducer.h"

namespace sono {

std::unique_ptr<GradientReducer> make_gradient_reducer(
    Communicator& comm, Arena& arena, const ReducerOptions& options) {
  return arena.zero_stage() >= 2
             ? make_lane_by_lane_reducer(comm, arena, options)
             : make_subtree_reducer(comm, arena, options);
}

}  // namespace sono
