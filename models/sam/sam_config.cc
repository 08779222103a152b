#include "models/sam/sam_config.h"

#include <algorithm>

#include "core/error.h"
#include "core/option.h"

namespace sono {
namespace {

SamConfig around(const VitConfig& vit) {
  SamConfig config;
  config.encoder = vit;
  config.prompt = {.channels = vit.out_channels,
                   .grid = vit.grid(),
                   .image_size_px = vit.image_size_px};
  config.decoder.transformer.channels = vit.out_channels;
  return config;
}

VitConfig vit_of(std::int64_t width, std::int64_t depth, std::int64_t heads) {
  VitConfig vit;
  vit.width = width;
  vit.depth = depth;
  vit.heads = heads;
  vit.mlp_width = 4 * width;
  vit.global_blocks.clear();
  for (int i = 1; i <= 4; ++i) {
    vit.global_blocks.push_back(i * depth / 4 - 1);
  }
  return vit;
}

// The tensors of one file, asked for by name and number of dimensions.
class Shapes {
 public:
  Shapes(const StateDict& state, const std::string& source)
      : state_(state), source_(source) {}

  bool has(const std::string& name) const { return state_.count(name) > 0; }

  std::vector<std::int64_t> of(const std::string& name,
                               std::size_t dims) const {
    const auto found = state_.find(name);
    if (found == state_.end()) refuse("it has no " + name);
    const auto shape = found->second.sizes().vec();
    bool sound = shape.size() == dims;
    for (const std::int64_t size : shape) sound &= size > 0;
    if (!sound) refuse(name + " has an impossible shape");
    return shape;
  }

  // What the model's size follows from must really be in the file.
  void expect(const std::string& name,
              const std::vector<std::int64_t>& shape) const {
    if (of(name, shape.size()) != shape) refuse(name + " has another shape");
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw DataError(
        source_ + ": no SAM checkpoint: " + why +
        "; give LiteMedSAM, or SAM ViT-B, L or H as Meta's .pth or Hugging "
        "Face's safetensors");
  }

 private:
  const StateDict& state_;
  const std::string& source_;
};

std::string block(std::int64_t i) {
  return "image_encoder.blocks." + std::to_string(i) + ".";
}

VitConfig detect_vit(const Shapes& shapes) {
  VitConfig vit;
  const auto patch = shapes.of("image_encoder.patch_embed.proj.weight", 4);
  const auto position = shapes.of("image_encoder.pos_embed", 4);
  vit.width = patch[0];
  vit.patch_size_px = patch[2];
  vit.image_size_px = patch[2] * position[1];
  vit.table_grid = vit.grid();
  vit.out_channels = shapes.of("image_encoder.neck.0.weight", 4)[0];
  vit.mlp_width = shapes.of(block(0) + "mlp.lin1.weight", 2)[0];
  const std::int64_t head_width = shapes.of(block(0) + "attn.rel_pos_h", 2)[1];
  vit.heads = vit.width / head_width;
  if (vit.heads * head_width != vit.width) {
    shapes.refuse("its heads do not add up to its width");
  }
  // Blocks over the whole image have tables for its whole side.
  vit.global_blocks.clear();
  vit.depth = 0;
  for (; shapes.has(block(vit.depth) + "attn.rel_pos_h"); ++vit.depth) {
    const std::int64_t table =
        shapes.of(block(vit.depth) + "attn.rel_pos_h", 2)[0];
    shapes.expect(block(vit.depth) + "attn.qkv.weight",
                  {3 * vit.width, vit.width});
    shapes.expect(block(vit.depth) + "mlp.lin1.weight",
                  {vit.mlp_width, vit.width});
    if (table == 2 * vit.grid() - 1) {
      vit.global_blocks.push_back(vit.depth);
    } else {
      vit.window = (table + 1) / 2;
    }
  }
  return vit;
}

}  // namespace

SamConfig named_sam_config(const std::string& name) {
  check_choice("model", name, {"lite_medsam", "vit_b", "vit_l", "vit_h"});
  if (name == "vit_b") return around(vit_of(768, 12, 12));
  if (name == "vit_l") return around(vit_of(1024, 24, 16));
  if (name == "vit_h") return around(vit_of(1280, 32, 16));
  return {};
}

SamConfig detect_sam_config(const StateDict& state, const std::string& source) {
  const Shapes shapes(state, source);
  if (shapes.has("image_encoder.patch_embed.seq.0.c.weight")) return {};
  SamConfig config = around(detect_vit(shapes));
  config.prompt.mask_channels =
      shapes.of("prompt_encoder.mask_downscaling.3.weight", 4)[0];
  TwoWayConfig& transformer = config.decoder.transformer;
  const std::string first = "mask_decoder.transformer.layers.0.";
  transformer.mlp_width = shapes.of(first + "mlp.lin1.weight", 2)[0];
  const std::int64_t inside =
      shapes.of(first + "cross_attn_token_to_image.q_proj.weight", 2)[0];
  transformer.cross_downsample =
      std::max<std::int64_t>(1, transformer.channels / inside);
  transformer.depth = 0;
  while (shapes.has("mask_decoder.transformer.layers." +
                    std::to_string(transformer.depth) + ".norm1.weight")) {
    ++transformer.depth;
  }
  const std::string head = "mask_decoder.iou_prediction_head.layers.";
  config.decoder.iou_width = shapes.of(head + "0.weight", 2)[0];
  shapes.expect(head + "1.weight",
                {config.decoder.iou_width, config.decoder.iou_width});
  return config;
}

}  // namespace sono
