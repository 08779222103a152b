#include "dist/optimizer.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace sono {
namespace {

constexpr std::int64_t kNormBlock = 65536;

// One call over the whole flat buffer: cut at other places the kernel would
// give other bits. `count`: number of this update, fp32 scalar, 1 at first.
void fused_adamw(Arena& arena, const at::Tensor& count, double learning_rate,
                 const OptimizerOptions& options) {
  at::_fused_adamw_({arena.params.data}, {arena.grad.data},
                    {arena.exp_avg.data}, {arena.exp_avg_sq.data}, {}, {count},
                    learning_rate, options.beta1, options.beta2,
                    options.weight_decay, options.eps, /*amsgrad=*/false,
                    /*maximize=*/false);
}

void fused_adam(Arena& arena, const at::Tensor& count, double learning_rate,
                const OptimizerOptions& options) {
  at::_fused_adam_({arena.params.data}, {arena.grad.data}, {arena.exp_avg.data},
                   {arena.exp_avg_sq.data}, {}, {count}, learning_rate,
                   options.beta1, options.beta2, options.weight_decay,
                   options.eps, /*amsgrad=*/false, /*maximize=*/false);
}

}  // namespace

double global_norm(const at::Tensor& flat) {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> blocks;
  for (std::int64_t begin = 0; begin < flat.numel(); begin += kNormBlock) {
    const std::int64_t count = std::min(kNormBlock, flat.numel() - begin);
    blocks.push_back(
        flat.narrow(0, begin, count).to(at::kDouble).square_().sum());
  }
  // Brought to the host at once, so that a GPU is waited for only once.
  const at::Tensor sums = at::stack(blocks).to(at::kCPU);
  double total = 0;
  for (std::int64_t i = 0; i < sums.numel(); ++i) {
    total += sums.const_data_ptr<double>()[i];
  }
  return std::sqrt(total);
}

double ema_decay_at(double decay, std::int64_t updates) {
  const auto s = static_cast<double>(std::max<std::int64_t>(0, updates - 1));
  return s == 0 ? 0.0 : std::min(decay, (1 + s) / (10 + s));
}

double Optimizer::step(Arena& arena, double learning_rate, double loss) {
  at::NoGradGuard no_grad;
  const double norm = global_norm(arena.grad.data);
  if (!std::isfinite(norm) || !std::isfinite(loss)) {
    ++state.skipped;
    if (++state.skipped_in_row >= kMaxSkippedInRow) {
      throw DivergedError(
          std::to_string(kMaxSkippedInRow) +
          " steps in a row had a loss or gradient that is not finite; lower "
          "the learning rate or clip_norm");
    }
    return norm;
  }
  state.skipped_in_row = 0;
  ++state.updates;
  if (options_.clip_norm > 0 && norm > options_.clip_norm) {
    arena.grad.data.mul_(options_.clip_norm / (norm + 1e-6));
  }
  update(arena, learning_rate);
  if (arena.ema.defined()) {
    const double decay = ema_decay_at(options_.ema_decay, state.updates);
    arena.ema.data.lerp_(arena.params.data, 1 - decay);
  }
  return norm;
}

void Optimizer::update(Arena& arena, double learning_rate) const {
  const at::Tensor count =
      at::full({}, static_cast<double>(state.updates),
               arena.params.data.options().dtype(at::kFloat));
  const auto fused = options_.kind == "adamw" ? &fused_adamw : &fused_adam;
  fused(arena, count, learning_rate, options_);
}

}  // namespace sono
