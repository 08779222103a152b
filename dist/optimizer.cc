#include "dist/optimizer.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace sono {

// The ranges of a group whose moments this rank holds, as views. One fused call
// takes them all; cut at other places than whole blocks or the beginnings of
// parameters a kernel would give other bits.
struct Optimizer::Pieces {
  Pieces(Arena& arena, Range group) {
    for (const Range& held : arena.exp_avg.ranges()) {
      const Range range{std::max(held.begin, group.begin),
                        std::min(held.end, group.end)};
      if (range.size() <= 0) continue;
      params.push_back(arena.params.view(range));
      grads.push_back(arena.grad.view(range));
      exp_avgs.push_back(arena.exp_avg.view(range));
      if (arena.exp_avg_sq.defined()) {
        exp_avg_sqs.push_back(arena.exp_avg_sq.view(range));
      }
      if (arena.ema.defined()) emas.push_back(arena.ema.view(range));
    }
  }

  std::vector<at::Tensor> params, grads, exp_avgs, exp_avg_sqs, emas;
};

double ema_decay_at(const OptimizerOptions& options, std::int64_t updates) {
  const std::int64_t count = updates - options.ema_begin - 1;
  if (count <= 0) return 0.0;
  const auto s = static_cast<double>(count);
  const double risen = options.ema_power > 0
                           ? 1 - std::pow(1 + s, -options.ema_power)
                           : (1 + s) / (10 + s);
  return std::min(options.ema_decay, risen);
}

std::vector<RateGroup> rate_groups(const Layout& layout,
                                   const std::vector<double>& factors) {
  if (factors.empty()) return {};
  const auto& entries = layout.entries();
  SONO_CHECK_EQ(factors.size(), entries.size());
  std::vector<RateGroup> groups;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!groups.empty() && groups.back().factor == factors[i]) continue;
    if (!groups.empty()) groups.back().range.end = entries[i].offset;
    groups.push_back({{entries[i].offset, layout.size()}, factors[i]});
  }
  return groups;
}

void Optimizer::step(Arena& arena, double norm, double learning_rate,
                     double loss) {
  at::NoGradGuard no_grad;
  if (!std::isfinite(norm) || !std::isfinite(loss)) {
    ++state.skipped;
    if (++state.skipped_in_row >= kMaxSkippedInRow) {
      throw DivergedError(
          std::to_string(kMaxSkippedInRow) +
          " steps in a row had a loss or gradient that is not finite; lower "
          "the learning rate or clip_norm");
    }
    return;
  }
  state.skipped_in_row = 0;
  ++state.updates;
  // The fused kernels divide gradients by it: no pass of its own.
  std::optional<at::Tensor> divisor;
  if (options_.clip_norm > 0 && norm > options_.clip_norm) {
    divisor = at::full({}, (norm + 1e-6) / options_.clip_norm,
                       arena.params.data.options());
  }
  if (groups_.empty()) {
    step_group(arena, {arena.layout().all()}, learning_rate, divisor);
  }
  for (const RateGroup& group : groups_) {
    step_group(arena, group, learning_rate, divisor);
  }
}

void Optimizer::step_group(Arena& arena, const RateGroup& group,
                           double learning_rate,
                           const std::optional<at::Tensor>& divisor) const {
  Pieces pieces(arena, group.range);
  if (pieces.params.empty()) return;
  update(pieces, learning_rate * group.factor, divisor);
  const double decay = ema_decay_at(options_, state.updates);
  for (std::size_t i = 0; i < pieces.emas.size(); ++i) {
    pieces.emas[i].lerp_(pieces.params[i], 1 - decay);
  }
}

void Optimizer::update(Pieces& pieces, double learning_rate,
                       const std::optional<at::Tensor>& divisor) const {
  if (options_.kind == "sgd") {
    at::_fused_sgd_(pieces.params, pieces.grads, pieces.exp_avgs,
                    options_.weight_decay, options_.beta1, learning_rate,
                    /*dampening=*/0, /*nesterov=*/false, /*maximize=*/false,
                    /*is_first_step=*/state.updates == 1, divisor, {});
    return;
  }
  // The number of this update, fp32, 1 at first; one a piece.
  const std::vector<at::Tensor> counts(
      pieces.params.size(),
      at::full({}, static_cast<double>(state.updates),
               pieces.params.front().options().dtype(at::kFloat)));
  using Fused =
      void (*)(at::TensorList, at::TensorList, at::TensorList, at::TensorList,
               at::TensorList, at::TensorList, double, double, double, double,
               double, bool, bool, const std::optional<at::Tensor>&,
               const std::optional<at::Tensor>&);
  const Fused fused = options_.kind == "adamw"
                          ? static_cast<Fused>(&at::_fused_adamw_)
                          : static_cast<Fused>(&at::_fused_adam_);
  fused(pieces.params, pieces.grads, pieces.exp_avgs, pieces.exp_avg_sqs, {},
        counts, learning_rate, options_.beta1, options_.beta2,
        options_.weight_decay, options_.eps, /*amsgrad=*/false,
        /*maximize=*/false, divisor, {});
}

}  // namespace sono
