#include "dist/reducer/gradient_reducer.h"

#include "dist/reducer/lane_by_lane_reducer.h"
#include "dist/reducer/subtree_reducer.h"

namespace sono {

std::unique_ptr<GradientReducer> make_gradient_reducer(
    CommQueue& queue, Arena& arena, const ReducerOptions& options) {
  return arena.zero_stage() >= 2
             ? make_lane_by_lane_reducer(queue, arena, options)
             : make_subtree_reducer(queue, arena, options);
}

}  // namespace sono
