#include "models/nn/frozen.h"

#include <algorithm>
#include <vector>

#include "models/nn/layers.h"

namespace sono {
namespace {

// Below, the transforms cost more than the products save.
constexpr std::int64_t kMinChannels = 16;

bool can_transform(const Conv2d& conv) {
  const ConvOptions& o = conv.options();
  const at::Tensor& w = conv.weight;
  return o.kernel == 3 && o.stride == 1 && o.padding == 1 && o.groups == 1 &&
         w.size(0) >= kMinChannels && w.size(1) >= kMinChannels &&
         w.scalar_type() == at::kFloat && w.device().is_cpu();
}

template <class Layer>
std::vector<Layer*> layers_of(Module& module) {
  std::vector<Layer*> all;
  for (const auto& [path, part] : module.named_modules()) {
    if (auto* layer = dynamic_cast<Layer*>(part)) all.push_back(layer);
  }
  return all;
}

}  // namespace

std::int64_t prepare_frozen(Module& module, std::int64_t max_bytes) {
  for (Linear* linear : layers_of<Linear>(module)) linear->frozen_form = true;
  std::vector<Conv2d*> all = layers_of<Conv2d>(module);
  std::erase_if(all, [](const Conv2d* conv) { return !can_transform(*conv); });
  std::stable_sort(all.begin(), all.end(),
                   [](const Conv2d* a, const Conv2d* b) {
                     return a->weight.numel() < b->weight.numel();
                   });
  std::int64_t taken = 0;
  for (Conv2d* conv : all) {
    const auto bytes =
        static_cast<std::int64_t>(conv->weight.nbytes()) / 9 * 16;
    if (taken + bytes > max_bytes) break;
    conv->winograd = std::make_unique<const WinogradConv>(conv->weight);
    taken += bytes;
  }
  return taken;
}

void forget_frozen(Module& module) {
  for (Linear* linear : layers_of<Linear>(module)) linear->frozen_form = false;
  for (Conv2d* conv : layers_of<Conv2d>(module)) conv->winograd.reset();
}

}  // namespace sono
