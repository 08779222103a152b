#include "tests/models/sam/tiny_sam.h"

#include <filesystem>

#include "models/io/safetensors.h"

namespace sono {

SamConfig tiny_sam_config(std::int64_t table_grid) {
  SamConfig config;
  config.encoder = VitConfig{.image_size_px = 64,
                             .patch_size_px = 8,
                             .width = 32,
                             .depth = 2,
                             .heads = 4,
                             .mlp_width = 128,
                             .window = 3,
                             .global_blocks = {1},
                             .table_grid = table_grid,
                             .out_channels = 16};
  config.prompt = {.channels = 16, .grid = 8, .image_size_px = 64};
  config.decoder.transformer = {.channels = 16, .heads = 2, .mlp_width = 32};
  config.decoder.iou_width = 16;
  return config;
}

at::Tensor scattered(const std::string& name, at::IntArrayRef shape) {
  std::uint32_t seed = 2166136261u;
  for (const char c : name) {
    seed = (seed ^ static_cast<std::uint8_t>(c)) * 16777619u;
  }
  at::Tensor values = at::empty(shape, at::kFloat);
  float* out = values.data_ptr<float>();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    std::uint32_t x = static_cast<std::uint32_t>(i) + seed;
    for (const std::uint32_t factor : {2654435761u, 73244475u, 73244475u}) {
      x *= factor;
      x ^= x >> 16;
    }
    out[i] = static_cast<float>(x / 2147483648.0 - 1);
  }
  return values;
}

StateDict scattered_state(const Sam& model) {
  StateDict state;
  for (const auto& [name, tensor] : model.state()) {
    const at::Tensor values = scattered(name, tensor.sizes());
    const bool is_scale = name.ends_with(".weight") && tensor.dim() == 1;
    state[name] = name.ends_with("gaussian_matrix")
                      ? values
                      : values * 0.433 + (is_scale ? 1.0 : 0.0);
  }
  return state;
}

StateDict sam_fixture() {
  const std::filesystem::path source(SONO_SOURCE_DIR);
  return load_safetensors(source / "tests/parity/fixtures/sam.safetensors");
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace sono
