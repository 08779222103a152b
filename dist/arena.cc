#include "dist/arena.h"

#include "core/check.h"

namespace sono {
namespace {

void check_parameter(const std::string& name, const at::Tensor& tensor,
                     const at::Device& device) {
  SONO_CHECK(tensor.defined() && tensor.is_leaf() && tensor.requires_grad(),
             "parameter " << name << " is not a leaf that requires grad");
  SONO_CHECK(tensor.scalar_type() == at::kFloat,
             "parameter " << name << " is not fp32");
  SONO_CHECK(tensor.device() == device,
             "parameter " << name << " is on another device");
}

}  // namespace

Arena::Arena(NamedTensors parameters, const ArenaOptions& options)
    : options_(options),
      parameters_(std::move(parameters)),
      layout_(parameters_),
      plan_(layout_, options.buckets, options.world_size),
      owned_(plan_.owned(options.rank)) {
  at::NoGradGuard no_grad;
  SONO_CHECK(options.zero_stage >= 0 && options.zero_stage <= 3,
             "no ZeRO stage " << options.zero_stage);
  const at::Device device = parameters_.front().second.device();
  for (const auto& [name, tensor] : parameters_) {
    check_parameter(name, tensor, device);
  }
  const auto dtype = at::TensorOptions().dtype(at::kFloat).device(device);
  const auto buffer = [&](bool sharded) {
    return FlatBuffer(sharded ? owned_ : std::vector<Range>{layout_.all()},
                      dtype);
  };
  params = buffer(options.zero_stage >= 3);
  grad = buffer(options.zero_stage >= 2);
  exp_avg = buffer(options.zero_stage >= 1);
  if (options.with_second_moment) exp_avg_sq = buffer(options.zero_stage >= 1);
  take_over_parameters();
  if (!options.with_ema) return;
  ema = buffer(options.zero_stage >= 1);
  for (const Range& range : ema.ranges()) {
    ema.view(range).copy_(params.view(range));
  }
}

void Arena::take_over_parameters() {
  const bool whole = options_.zero_stage < 3;
  const at::Tensor flat =
      whole ? params.data : at::zeros({layout_.size()}, params.data.options());
  const NamedTensors views = layout_.views(flat);
  for (std::size_t i = 0; i < views.size(); ++i) {
    views[i].second.copy_(parameters_[i].second);
    if (whole) parameters_[i].second.set_data(views[i].second);
  }
  if (whole) return;
  for (const Range& range : owned_) {
    params.view(range).copy_(flat.narrow(0, range.begin, range.size()));
  }
}

}  // namespace sono
