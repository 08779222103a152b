#include "models/io/original_configs.h"

#include <nlohmann/json.hpp>

namespace sono {
namespace {

using Json = nlohmann::json;

// What the UNet and the ControlNet share.
Json network(const OriginalKind& kind) {
  Json json = {{"in_channels", kind.in_channels},
               {"block_out_channels", {320, 640, 1280, 1280}},
               {"layers_per_block", 2},
               {"cross_attention_dim", kind.version_2 ? 1024 : 768},
               {"attention_head_dim", 8},
               {"down_block_types",
                {"CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
                 "CrossAttnDownBlock2D", "DownBlock2D"}}};
  if (kind.version_2) {
    json["attention_head_dim"] = {5, 10, 20, 20};
    json["use_linear_projection"] = true;
  }
  return json;
}

}  // namespace

std::string unet_config_text(const OriginalKind& kind) {
  Json json = network(kind);
  json["_class_name"] = "UNet2DConditionModel";
  json["out_channels"] = 4;
  json["up_block_types"] = {"UpBlock2D", "CrossAttnUpBlock2D",
                            "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"};
  return json.dump();
}

std::string controlnet_config_text(const OriginalKind& kind) {
  Json json = network(kind);
  json["_class_name"] = "ControlNetModel";
  return json.dump();
}

std::string vae_config_text() {
  return Json{{"_class_name", "AutoencoderKL"},
              {"in_channels", 3},
              {"out_channels", 3},
              {"latent_channels", 4},
              {"layers_per_block", 2},
              {"block_out_channels", {128, 256, 512, 512}},
              {"down_block_types", Json(4, "DownEncoderBlock2D")},
              {"up_block_types", Json(4, "UpDecoderBlock2D")}}
      .dump();
}

std::string text_encoder_config_text(const OriginalKind& kind) {
  const bool two = kind.version_2;
  // Version 2 looks at the last layer but one: the last of 24 is left out.
  return Json{{"architectures", {"CLIPTextModel"}},
              {"vocab_size", 49408},
              {"hidden_size", two ? 1024 : 768},
              {"intermediate_size", two ? 4096 : 3072},
              {"num_hidden_layers", two ? 23 : 12},
              {"num_attention_heads", two ? 16 : 12},
              {"max_position_embeddings", 77},
              {"hidden_act", two ? "gelu" : "quick_gelu"}}
      .dump();
}

std::string scheduler_config_text(const OriginalKind& kind) {
  return Json{
      {"_class_name", kind.version_2 ? "DDIMScheduler" : "PNDMScheduler"},
      {"beta_schedule", "scaled_linear"},
      {"beta_start", 0.00085},
      {"beta_end", 0.012},
      {"num_train_timesteps", 1000},
      {"set_alpha_to_one", false},
      {"skip_prk_steps", true},
      {"steps_offset", 1},
      {"clip_sample", false},
      {"prediction_type", kind.prediction_type}}
      .dump();
}

}  // namespace sono
