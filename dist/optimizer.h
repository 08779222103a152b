#pragma once
// One update of a whole arena: clip, Adam, AdamW or SGD, moving average. Each
// rank updates what it holds the moments of; no communication.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dist/arena.h"

namespace sono {

struct OptimizerOptions {
  // adam (L2 in the gradient), adamw, or sgd (momentum beta1, L2 in the
  // gradient).
  std::string kind = "adamw";
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
  double clip_norm = 1.0;  // global L2 norm; 0 = no clipping
  double ema_decay = 0.0;  // used when the arena has an EMA
  // Rise of the decay to ema_decay: 0 as (1 + s) / (10 + s), else
  // 1 - (1 + s)^-ema_power (2/3 for long trainings, 3/4 for short ones).
  double ema_power = 0.0;
  std::int64_t ema_begin = 0;  // the average is a copy up to this update
};

// Parameters with a learning rate of their own: `factor` times the step's.
struct RateGroup {
  Range range;  // of the layout
  double factor = 1;
};

// One factor a parameter of the layout, or none: 1 for all. Neighbours of one
// factor are one group; groups begin where a parameter does, so that no value
// depends on how they are cut.
std::vector<RateGroup> rate_groups(const Layout& layout,
                                   const std::vector<double>& factors);

// What a resumed run needs besides the arena.
struct OptimizerState {
  std::int64_t updates = 0;         // steps that changed the parameters
  std::int64_t skipped = 0;         // steps left out, non-finite
  std::int64_t skipped_in_row = 0;  // of these, since the last update
};

// Decay of the moving average at update number `updates` (1 is the first), as
// in diffusers' EMAModel: 0 while s = updates - ema_begin - 1 is 0 or less,
// then the rise above, ema_decay at most.
double ema_decay_at(const OptimizerOptions& options, std::int64_t updates);

class Optimizer {
 public:
  static constexpr int kMaxSkippedInRow = 10;

  // `groups` cover the arena's layout; none: one rate for all.
  explicit Optimizer(OptimizerOptions options,
                     std::vector<RateGroup> groups = {})
      : options_(options), groups_(std::move(groups)) {}

  // Applies arena.grad, whose L2 norm over all ranks is `norm`; clipping scales
  // it in place. A non-finite norm or loss leaves everything as it was and is
  // counted; the tenth in a row is a DivergedError. Norm and loss are the same
  // on all ranks, so all decide alike.
  void step(Arena& arena, double norm, double learning_rate, double loss);

  OptimizerState state;

 private:
  struct Pieces;
  void step_group(Arena& arena, const RateGroup& group, double learning_rate,
                  const std::optional<at::Tensor>& divisor) const;
  void update(Pieces& pieces, double learning_rate,
              const std::optional<at::Tensor>& divisor) const;
  OptimizerOptions options_;
  std::vector<RateGroup> groups_;
};

}  // namespace sono
