// AutoencoderKL's config.json.

#include <algorithm>

#include "models/vae/autoencoder_kl.h"

namespace sono {
namespace {

void check_types(ConfigJson& json, const char* key, const std::string& type,
                 std::size_t levels) {
  const auto types = json.texts(key);
  if (types.size() != levels ||
      std::any_of(types.begin(), types.end(),
                  [&](const std::string& t) { return t != type; })) {
    json.refuse(key, "must be " + type + ", once a level of " +
                         "block_out_channels; nothing else is implemented");
  }
}

}  // namespace

AutoencoderConfig read_autoencoder_config(ConfigJson json) {
  json.expect_class({"AutoencoderKL"});
  AutoencoderConfig c;
  c.in_channels = json.integer("in_channels", {}, 3);
  c.out_channels = json.integer("out_channels", {}, 3);
  c.latent_channels = json.integer("latent_channels", {}, 4);
  c.block_out_channels = json.integers("block_out_channels");
  c.layers_per_block = json.integer("layers_per_block", {}, 1);
  c.norm_num_groups = json.integer("norm_num_groups", {}, 32);
  c.scaling_factor = json.number("scaling_factor", {1e-6, 1e6}, 0.18215);
  c.use_quant_conv = json.boolean("use_quant_conv", true);
  c.use_post_quant_conv = json.boolean("use_post_quant_conv", true);
  c.mid_attention = json.boolean("mid_block_add_attention", true);
  const std::size_t levels = c.block_out_channels.size();
  check_types(json, "down_block_types", "DownEncoderBlock2D", levels);
  check_types(json, "up_block_types", "UpDecoderBlock2D", levels);
  json.choice("act_fn", {"silu", "swish"}, "silu");
  // Sizes of tiles, and of fp16 that overflows: nothing here is tiled or fp16.
  json.ignore({"sample_size", "force_upcast"});
  json.finish();
  c.validate();
  return c;
}

}  // namespace sono
