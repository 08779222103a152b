#include "models/unet/config_file.h"

#include <algorithm>

namespace sono {
namespace {

constexpr IntegerRange kFlag{0, 1};
constexpr IntegerRange kKernel{1, 15};

// Whether each level attends, from down_block_types ("DownBlock2D" or
// `attending`).
std::vector<bool> read_attention(ConfigJson& json, const char* key,
                                 const std::string& plain,
                                 const std::string& attending) {
  std::vector<bool> attention;
  for (const std::string& type : json.texts(key)) {
    if (type != plain && type != attending) {
      json.refuse(key, "has " + type + "; implemented here are " + plain +
                           " and " + attending);
    }
    attention.push_back(type == attending);
  }
  return attention;
}

// What UNet2DModel, UNet2DConditionModel and ControlNetModel spell alike.
void read_shared(ConfigJson& json, UNetConfig& c) {
  c.in_channels = json.integer("in_channels");
  c.block_out_channels = json.integers("block_out_channels");
  c.layers_per_block = json.integer("layers_per_block", {1, 64}, 2);
  c.norm_num_groups = json.integer("norm_num_groups", {}, 32);
  c.norm_eps = json.number("norm_eps", {1e-12, 1}, 1e-5);
  c.flip_sin_to_cos = json.boolean("flip_sin_to_cos", true);
  c.freq_shift = json.number("freq_shift", {0, 1}, 0);
  c.mid_block_scale_factor =
      json.number("mid_block_scale_factor", {1e-6, 1e6}, 1);
  c.downsample_padding = json.integer("downsample_padding", kFlag, 1);
  c.num_class_embeds = json.optional_integer("num_class_embeds").value_or(0);
  json.choice("act_fn", {"silu", "swish"}, "silu");
  json.only("resnet_time_scale_shift", "default");
  json.only("dropout", 0);
  json.ignore({"sample_size"});
}

// The transformers of a network that looks at a text.
void read_text(ConfigJson& json, UNetConfig& c) {
  const std::size_t levels = c.block_out_channels.size();
  c.cross_attention_dim = json.integer("cross_attention_dim", {}, 1280);
  // Published under the wrong name: it is the number of heads, not their size.
  c.num_attention_heads =
      json.integer_each("attention_head_dim", levels, {}, 8);
  c.transformer_layers =
      json.integer_each("transformer_layers_per_block", levels, {1, 64}, 1);
  c.only_cross_attention =
      json.boolean_each("only_cross_attention", levels, false);
  c.use_linear_projection = json.boolean("use_linear_projection", false);
  // Names a slower attention; the fused one keeps its softmax in fp32 anyhow.
  json.ignore({"upcast_attention", "addition_embed_type_num_heads"});
}

void read_middle(ConfigJson& json, UNetConfig& c, const std::string& type) {
  c.mid_block = !json.is_null("mid_block_type");
  if (c.mid_block) json.only("mid_block_type", type);
}

// The way up must mirror the way down.
void check_mirrored(ConfigJson& json, const UNetConfig& c,
                    std::vector<bool> up_attention) {
  std::reverse(up_attention.begin(), up_attention.end());
  if (up_attention != c.attention) {
    json.refuse("up_block_types",
                "does not mirror down_block_types; nothing else is "
                "implemented");
  }
}

void read_unconditional(ConfigJson& json, UNetConfig& c) {
  c.attention = read_attention(json, "down_block_types", "DownBlock2D",
                               "AttnDownBlock2D");
  check_mirrored(
      json, c,
      read_attention(json, "up_block_types", "UpBlock2D", "AttnUpBlock2D"));
  read_middle(json, c, "UNetMidBlock2D");
  c.mid_attention = json.boolean("add_attention", true);
  c.attention_head_dim = json.is_null("attention_head_dim")
                             ? 0
                             : json.integer("attention_head_dim", {}, 8);
  json.only("downsample_type", "conv");
  json.only("upsample_type", "conv");
  json.only("time_embedding_type", "positional");
  json.ignore({"num_train_timesteps"});
}

void read_conditional(ConfigJson& json, UNetConfig& c) {
  c.attention = read_attention(json, "down_block_types", "DownBlock2D",
                               "CrossAttnDownBlock2D");
  check_mirrored(json, c,
                 read_attention(json, "up_block_types", "UpBlock2D",
                                "CrossAttnUpBlock2D"));
  read_middle(json, c, "UNetMidBlock2DCrossAttn");
  read_text(json, c);
  c.conv_in_kernel = json.integer("conv_in_kernel", kKernel, 3);
  c.conv_out_kernel = json.integer("conv_out_kernel", kKernel, 3);
  json.only("dual_cross_attention", false);
  json.only("resnet_skip_time_act", false);
  json.only("resnet_out_scale_factor", 1);
  json.only("time_embedding_type", "positional");
  json.only("attention_type", "default");
  json.only("class_embeddings_concat", false);
  // Of a middle that is not implemented.
  json.ignore({"mid_block_only_cross_attention"});
}

}  // namespace

UNetConfig read_unet_config(ConfigJson json) {
  const bool text =
      json.expect_class({"UNet2DConditionModel", "UNet2DModel"}) ==
      "UNet2DConditionModel";
  UNetConfig c;
  read_shared(json, c);
  c.out_channels = json.integer("out_channels");
  c.center_input_sample = json.boolean("center_input_sample", false);
  if (text) {
    read_conditional(json, c);
  } else {
    read_unconditional(json, c);
  }
  json.finish();
  c.validate();
  return c;
}

ControlNetConfig read_controlnet_config(ConfigJson json) {
  json.expect_class({"ControlNetModel"});
  ControlNetConfig config;
  UNetConfig& c = config.unet;
  read_shared(json, c);
  c.out_channels = c.in_channels;
  c.attention = read_attention(json, "down_block_types", "DownBlock2D",
                               "CrossAttnDownBlock2D");
  read_middle(json, c, "UNetMidBlock2DCrossAttn");
  read_text(json, c);
  config.conditioning_channels = json.integer("conditioning_channels", {}, 3);
  config.conditioning_widths =
      json.integers("conditioning_embedding_out_channels", {},
                    std::vector<std::int64_t>{16, 32, 96, 256});
  config.conditioning_bgr = json.choice("controlnet_conditioning_channel_order",
                                        {"rgb", "bgr"}, "rgb") == "bgr";
  config.global_pool_conditions = json.boolean("global_pool_conditions", false);
  json.finish();
  config.validate();
  return config;
}

nlohmann::json controlnet_json(const ControlNetConfig& config) {
  const UNetConfig& c = config.unet;
  std::vector<std::string> types;
  for (const bool attends : c.attention) {
    types.emplace_back(attends ? "CrossAttnDownBlock2D" : "DownBlock2D");
  }
  nlohmann::json json = {
      {"_class_name", "ControlNetModel"},
      {"in_channels", c.in_channels},
      {"block_out_channels", c.block_out_channels},
      {"down_block_types", types},
      {"layers_per_block", c.layers_per_block},
      {"norm_num_groups", c.norm_num_groups},
      {"norm_eps", c.norm_eps},
      {"flip_sin_to_cos", c.flip_sin_to_cos},
      {"freq_shift", c.freq_shift},
      {"mid_block_scale_factor", c.mid_block_scale_factor},
      {"downsample_padding", c.downsample_padding},
      {"act_fn", "silu"},
      {"cross_attention_dim", c.cross_attention_dim},
      {"attention_head_dim", c.num_attention_heads},
      {"transformer_layers_per_block", c.transformer_layers},
      {"only_cross_attention", c.only_cross_attention},
      {"use_linear_projection", c.use_linear_projection},
      {"conditioning_channels", config.conditioning_channels},
      {"conditioning_embedding_out_channels", config.conditioning_widths},
      {"controlnet_conditioning_channel_order",
       config.conditioning_bgr ? "bgr" : "rgb"},
      {"global_pool_conditions", config.global_pool_conditions}};
  if (c.mid_block) json["mid_block_type"] = "UNetMidBlock2DCrossAttn";
  if (!c.mid_block) json["mid_block_type"] = nullptr;
  if (c.num_class_embeds > 0) json["num_class_embeds"] = c.num_class_embeds;
  return json;
}

}  // namespace sono
