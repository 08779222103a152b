// UNets' and ControlNets' config.json: the published ones read, the others are
// refused by name.

#include <gtest/gtest.h>

#include "core/error.h"
#include "models/unet/config_file.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

using Numbers = std::vector<std::int64_t>;

// As Stable Diffusion 1.5 ships it, with `more` in front.
ConfigJson sd15(const std::string& more = "") {
  return ConfigJson("{" + more + R"("_class_name": "UNet2DConditionModel",
      "_diffusers_version": "0.6.0", "act_fn": "silu", "attention_head_dim": 8,
      "block_out_channels": [320, 640, 1280, 1280],
      "center_input_sample": false, "cross_attention_dim": 768,
      "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
                           "CrossAttnDownBlock2D", "DownBlock2D"],
      "downsample_padding": 1, "flip_sin_to_cos": true, "freq_shift": 0,
      "in_channels": 4, "layers_per_block": 2, "mid_block_scale_factor": 1,
      "norm_eps": 1e-05, "norm_num_groups": 32, "out_channels": 4,
      "sample_size": 64,
      "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D",
                         "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]})",
                    "unet/config.json");
}

ConfigJson plain(const std::string& more) {
  return ConfigJson("{" + more + R"("_class_name": "UNet2DModel",
      "block_out_channels": [32, 64], "in_channels": 1, "out_channels": 1,
      "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
      "up_block_types": ["AttnUpBlock2D", "UpBlock2D"]})",
                    "unet/config.json");
}

TEST(UNetConfigFile, ReadsStableDiffusion) {
  const UNetConfig config = read_unet_config(sd15());
  EXPECT_EQ(config.block_out_channels, (Numbers{320, 640, 1280, 1280}));
  EXPECT_EQ(config.attention, (std::vector<bool>{true, true, true, false}));
  EXPECT_EQ(config.cross_attention_dim, 768);
  // The published key holds the number of heads.
  EXPECT_EQ(config.num_attention_heads, (Numbers{8, 8, 8, 8}));
  EXPECT_TRUE(config.mid_block);
}

TEST(UNetConfigFile, ReadsTheUnconditional) {
  const UNetConfig config = read_unet_config(
      plain(R"("attention_head_dim": null, "num_class_embeds": 7,
               "downsample_padding": 0, "mid_block_type": null, )"));
  EXPECT_FALSE(config.has_text());
  EXPECT_EQ(config.attention, (std::vector<bool>{false, true}));
  EXPECT_EQ(config.attention_head_dim, 0);
  EXPECT_EQ(config.num_class_embeds, 7);
  EXPECT_EQ(config.downsample_padding, 0);
  EXPECT_FALSE(config.mid_block);
}

TEST(UNetConfigFile, RefusesByName) {
  const auto refused = [](const std::string& more, const std::string& word) {
    EXPECT_ERROR(read_unet_config(sd15(more)), DataError, "unet/config.json",
                 word);
  };
  refused(R"("addition_embed_type": "text_time", )", "addition_embed_type");
  refused(R"("class_embed_type": "timestep", )", "class_embed_type");
  refused(R"("resnet_time_scale_shift": "scale_shift", )", "scale_shift");
  refused(R"("mid_block_type": "UNetMidBlock2D", )", "mid_block_type");
  refused(R"("time_cond_proj_dim": 256, )", "time_cond_proj_dim");
  refused(R"("dual_cross_attention": true, )", "dual_cross_attention");
  refused(R"("num_attention_heads": 8, )", "num_attention_heads");
  refused(R"("encoder_hid_dim": 64, )", "encoder_hid_dim");
  refused(R"("transformer_layers_per_block": [1, 2], )", "2 entries");
  refused(R"("dropout": 0.1, )", "dropout");
  refused(R"("conv_in_kernel": 1000000000, )", "conv_in_kernel");
  refused(R"("new_option": 1, )", "new_option");
  EXPECT_ERROR(read_unet_config(plain(R"("time_embedding_type": "fourier", )")),
               DataError, "time_embedding_type");
}

TEST(UNetConfigFile, RefusesShapesThatDoNotFit) {
  EXPECT_ERROR(read_unet_config(plain(R"("norm_num_groups": 24, )")),
               ConfigError, "groups (24)");
  EXPECT_ERROR(read_unet_config(plain(R"("attention_head_dim": 24, )")),
               ConfigError, "head size (24)");
  EXPECT_ERROR(read_unet_config(ConfigJson(
                   R"({"_class_name": "UNet2DModel", "in_channels": 1,
                       "out_channels": 1, "block_out_channels": [32, 64],
                       "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
                       "up_block_types": ["UpBlock2D", "AttnUpBlock2D"]})",
                   "unet/config.json")),
               DataError, "does not mirror");
  EXPECT_ERROR(read_unet_config(ConfigJson("{}", "unet/config.json")),
               DataError, "in_channels is missing");
}

TEST(ControlNetConfigFile, ReadsAndRefuses) {
  const auto read = [](const std::string& more) {
    return read_controlnet_config(
        ConfigJson("{" + more + R"("_class_name": "ControlNetModel",
            "block_out_channels": [32, 64], "in_channels": 4,
            "cross_attention_dim": 32,
            "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"]})",
                   "controlnet/config.json"));
  };
  const ControlNetConfig config =
      read(R"("controlnet_conditioning_channel_order": "bgr", )");
  EXPECT_TRUE(config.conditioning_bgr);
  EXPECT_EQ(config.conditioning_widths, (Numbers{16, 32, 96, 256}));
  EXPECT_ERROR(read(R"("controlnet_conditioning_channel_order": "hsv", )"),
               DataError, "controlnet/config.json", "hsv");
  EXPECT_ERROR(read(R"("conditioning_embedding_out_channels": [], )"),
               ConfigError, "conditioning_embedding_out_channels");
}

}  // namespace
}  // namespace sono
