#include "models/diffusion/guidance.h"

#include "core/check.h"

namespace sono {

at::Tensor guide(const at::Tensor& outputs, double scale) {
  SONO_CHECK(outputs.size(0) % 2 == 0, "outputs " << outputs.sizes());
  const auto halves = outputs.chunk(2);
  return halves[1] + scale * (halves[0] - halves[1]);
}

}  // namespace sono
