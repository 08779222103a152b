#pragma once
// How many bytes of model state a rank holds, by ZeRO stage.
//
// For P elements in fp32 on N ranks (Rajbhandari et al. 2020, section 5, with
// fp32 where they train in fp16):
//   stage 0   4P parameters + 4P gradient + 8P moments (+ 4P average)
//   stage 1   moments and average divided by N
//   stage 2   the gradient too
//   stage 3   the parameters too; what is gathered for use comes on top
// `exact` adds whole gradient buffers for lanes that wait for their siblings
// (stages 0 and 1 only). A division is exact to one block of 65,536 elements a
// bucket.

#include <cstdint>
#include <string>

#include "dist/arena.h"
#include "dist/parameter_units.h"
#include "dist/reducer/gradient_reducer.h"

namespace sono {

struct MemoryPlan {
  std::int64_t params = 0;  // bytes, as all below
  std::int64_t gradient = 0;
  std::int64_t moments = 0;
  std::int64_t average = 0;
  std::int64_t lane_buffers = 0;
  std::int64_t gathered = 0;  // stage 3: parameters in use, at most

  std::int64_t model_state() const {
    return params + gradient + moments + average;
  }
  // "model state 40.2 MB (parameters 10.0, ...), lane buffers 20.1 MB".
  std::string text() const;
};

// What a rank will hold; nothing is allocated.
// `blocks`: layout entries of the blocks whose parameters come and go.
MemoryPlan predict_memory(const Layout& layout, const ArenaOptions& arena,
                          const ReducerOptions& reducer,
                          const EntryRanges& blocks = {});
// What it holds, and has held at most. `units` may be null.
MemoryPlan measure_memory(const Arena& arena, const GradientReducer& reducer,
                          const ParameterUnits* units = nullptr);

// Bytes of this process in physical memory; 0 where the system does not tell.
std::int64_t resident_bytes();

}  // namespace sono
