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

std::vector<Conv2d*> convolutions(Module& module) {
  std::vector<Conv2d*> all;
  for (const auto& [path, part] : module.named_modules()) {
    if (auto* conv = dynamic_cast<Conv2d*>(part)) all.push_back(conv);
  }
  return all;
}

}  // namespace

std::int64_t prepare_frozen(Module& module, std::int64_t max_bytes) {
  std::vector<Conv2d*> all = convolutions(module);
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
  for (Conv2d* conv : convolutions(module)) conv->winograd.reset();
}

}  // namespace sono
