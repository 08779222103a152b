#include "models/diffusion/mask_guidance.h"

#include "core/check.h"
#include "core/option.h"

namespace sono {

MaskGuidance parse_mask_guidance(const std::string& option,
                                 const std::string& text) {
  check_choice(option, text, {"grey", "joint", "concat", "controlnet"});
  if (text == "joint") return MaskGuidance::kJoint;
  if (text == "concat") return MaskGuidance::kConcat;
  if (text == "controlnet") return MaskGuidance::kControlNet;
  return MaskGuidance::kNone;
}

at::Tensor mask_guide(MaskGuidance guidance, const at::Tensor& mask,
                      std::int64_t downscale) {
  SONO_CHECK(shows_mask(guidance) && mask.dim() == 3 && mask.size(0) == 1,
             "no guide of a mask " << mask.sizes());
  if (guidance == MaskGuidance::kControlNet) return mask.repeat({3, 1, 1});
  return at::avg_pool2d(mask * 2 - 1, {downscale, downscale});
}

}  // namespace sono
