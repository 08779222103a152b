#pragma once
// Reduction without a whole gradient anywhere (ZeRO stage 2): in each round
// every rank runs one lane and sends each bucket, once complete, to the owners
// of its chunks, who keep the tree.

#include <memory>

#include "dist/reducer/gradient_reducer.h"

namespace sono {

// Holds buckets that are under way, and up to log2(V) + 1 nodes of what this
// rank owns.
std::unique_ptr<GradientReducer> make_lane_by_lane_reducer(
    CommQueue& queue, Arena& arena, const ReducerOptions& options);

}  // namespace sono
