#include "experiments/image_quality/feature_check.h"

#include <string>

#include "core/check.h"

namespace sono {
namespace {

at::Tensor checked(const at::Tensor& rows, const char* which,
                   std::int64_t least) {
  SONO_CHECK(rows.dim() == 2, which << " features " << rows.sizes());
  if (rows.size(0) < least) {
    throw DataError("image quality needs " + std::to_string(least) + " " +
                    which + " images or more, not " +
                    std::to_string(rows.size(0)));
  }
  const at::Tensor wide = rows.to(at::kDouble).contiguous();
  if (!wide.isfinite().all().item<bool>()) {
    throw DataError(std::string("a feature of the ") + which +
                    " images is not finite; check the extractor's weights");
  }
  return wide;
}

}  // namespace

std::pair<at::Tensor, at::Tensor> checked_features(const at::Tensor& real,
                                                   const at::Tensor& synthetic,
                                                   std::int64_t least) {
  const at::Tensor a = checked(real, "real", least);
  const at::Tensor b = checked(synthetic, "synthetic", least);
  SONO_CHECK_EQ(a.size(1), b.size(1));
  return {a, b};
}

}  // namespace sono
