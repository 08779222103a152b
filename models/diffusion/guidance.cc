#include "models/diffusion/guidance.h"

#include <vector>

#include "core/check.h"

namespace sono {

at::Tensor guide(const at::Tensor& outputs, double scale) {
  SONO_CHECK(outputs.size(0) % 2 == 0, "outputs " << outputs.sizes());
  const auto halves = outputs.chunk(2);
  return halves[1] + scale * (halves[0] - halves[1]);
}

at::Tensor guide_rescaled(const at::Tensor& outputs, double scale,
                          double rescale) {
  const at::Tensor guided = guide(outputs, scale);
  if (rescale == 0) return guided;
  const at::Tensor conditional = outputs.chunk(2)[0];
  const auto deviation = [](const at::Tensor& x) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
    shape[0] = x.size(0);
    return x.flatten(1).std(1, /*unbiased=*/true).reshape(shape);
  };
  const at::Tensor like_conditional =
      guided * (deviation(conditional) / deviation(guided));
  return rescale * like_conditional + (1 - rescale) * guided;
}

}  // namespace sono
