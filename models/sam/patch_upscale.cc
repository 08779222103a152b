#include "models/sam/patch_upscale.h"

#include <cmath>
#include <vector>

namespace sono {

PatchUpscale::PatchUpscale(std::int64_t in_channels,
                           std::int64_t out_channels) {
  const Initializer start{Initializer::Kind::kUniform,
                          1 / std::sqrt(static_cast<double>(4 * out_channels))};
  weight = add_parameter("weight", {in_channels, out_channels, 2, 2}, start);
  bias = add_parameter("bias", {out_channels}, start);
}

at::Tensor PatchUpscale::operator()(const at::Tensor& tokens) const {
  const std::int64_t out = weight.size(1);
  const at::Tensor block =
      weight.permute({2, 3, 1, 0}).reshape({4 * out, weight.size(0)});
  return at::linear(tokens, block, bias.repeat({4}))
      .view({tokens.size(0), 4 * tokens.size(1), out});
}

at::Tensor blocks_to_grid(const at::Tensor& values, std::int64_t grid,
                          int times) {
  std::vector<std::int64_t> blocks = {-1, grid, grid};
  std::vector<std::int64_t> order = {0, 1}, columns = {2};
  for (int i = 0; i < times; ++i) {
    blocks.insert(blocks.end(), {2, 2});
    order.push_back(3 + 2 * i);
    columns.push_back(4 + 2 * i);
  }
  order.insert(order.end(), columns.begin(), columns.end());
  std::vector<std::int64_t> shape(values.sizes().begin(),
                                  values.sizes().end() - 1);
  shape.insert(shape.end(), {grid << times, grid << times});
  return values.view(blocks).permute(order).reshape(shape);
}

}  // namespace sono
