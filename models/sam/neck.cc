#include "models/sam/neck.h"

namespace sono {

SamNeck::SamNeck(std::int64_t in_channels, std::int64_t channels)
    : project_(in_channels, channels, {.kernel = 1, .bias = false}),
      norm1_(channels),
      smooth_(channels, channels, {.kernel = 3, .padding = 1, .bias = false}),
      norm2_(channels) {
  add_module("0", project_);
  add_module("1", norm1_);
  add_module("2", smooth_);
  add_module("3", norm2_);
}

at::Tensor SamNeck::operator()(const at::Tensor& x) const {
  return norm2_(smooth_(norm1_(project_(x))));
}

}  // namespace sono
