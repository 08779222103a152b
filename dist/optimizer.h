#pragma once
// One update of a whole arena: clip, Adam or AdamW, moving average. No
// communication; every rank does the same to equal buffers, so all stay equal.

#include <cstdint>
#include <string>

#include "dist/arena.h"

namespace sono {

struct OptimizerOptions {
  std::string kind = "adamw";  // adam (L2 in the gradient) or adamw
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
  double clip_norm = 1.0;  // global L2 norm; 0 = no clipping
  double ema_decay = 0.0;  // used when the arena has an EMA
};

// What a resumed run needs besides the arena.
struct OptimizerState {
  std::int64_t updates = 0;         // steps that changed the parameters
  std::int64_t skipped = 0;         // steps left out, non-finite
  std::int64_t skipped_in_row = 0;  // of these, since the last update
};

// The L2 norm of a flat fp32 tensor: squares summed in fp64 over fixed blocks
// of 65,536 elements, the blocks added in order. Does not depend on ranks.
double global_norm(const at::Tensor& flat);

// Decay of the moving average at update number `updates` (1 is the first), as
// in diffusers' EMAModel: 0 at first, then min(decay, (1 + s) / (10 + s)) with
// s = updates - 1.
double ema_decay_at(double decay, std::int64_t updates);

class Optimizer {
 public:
  static constexpr int kMaxSkippedInRow = 10;

  explicit Optimizer(OptimizerOptions options) : options_(options) {}

  // Applies arena.grad (which is scaled in place by clipping) and returns its
  // norm before clipping. A non-finite norm or `loss` leaves everything as it
  // was and is counted; the tenth in a row is a DivergedError.
  double step(Arena& arena, double learning_rate, double loss);

  OptimizerState state;

 private:
  void update(Arena& arena, double learning_rate) const;
  OptimizerOptions options_;
};

}  // namespace sono
