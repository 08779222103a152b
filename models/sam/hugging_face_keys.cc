#include "models/sam/hugging_face_keys.h"

#include <array>

#include "core/error.h"
#include "models/sam/sam.h"

namespace sono {
namespace {

constexpr char kPosition[] =
    "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix";
// Release 4 saves the position encoding under the second name in some files,
// and under both in others.
constexpr std::array kHuggingFacePositions = {
    "shared_image_embedding.positional_embedding",
    "prompt_encoder.shared_embedding.positional_embedding"};

struct Renaming {
  const char* inside;  // only in names that begin so
  const char* from;
  const char* to;
};

// Applied in this order, each once.
constexpr std::array kRenamings = {
    Renaming{"image_encoder.patch_embed.", ".proj.", ".projection."},
    Renaming{"image_encoder.blocks.", ".norm", ".layer_norm"},
    Renaming{"image_encoder.blocks.", ".blocks.", ".layers."},
    Renaming{"image_encoder.neck.", ".neck.0.", ".neck.conv1."},
    Renaming{"image_encoder.neck.", ".neck.1.", ".neck.layer_norm1."},
    Renaming{"image_encoder.neck.", ".neck.2.", ".neck.conv2."},
    Renaming{"image_encoder.neck.", ".neck.3.", ".neck.layer_norm2."},
    Renaming{"image_encoder.", "image_encoder.", "vision_encoder."},
    Renaming{"prompt_encoder.", ".point_embeddings.", ".point_embed."},
    Renaming{"prompt_encoder.", ".mask_downscaling.0.", ".mask_embed.conv1."},
    Renaming{"prompt_encoder.", ".mask_downscaling.1.",
             ".mask_embed.layer_norm1."},
    Renaming{"prompt_encoder.", ".mask_downscaling.3.", ".mask_embed.conv2."},
    Renaming{"prompt_encoder.", ".mask_downscaling.4.",
             ".mask_embed.layer_norm2."},
    Renaming{"prompt_encoder.", ".mask_downscaling.6.", ".mask_embed.conv3."},
    Renaming{"mask_decoder.transformer.layers.", ".norm", ".layer_norm"},
    Renaming{"mask_decoder.transformer.", ".norm_final_attn.",
             ".layer_norm_final_attn."},
    Renaming{"mask_decoder.", ".output_upscaling.0.", ".upscale_conv1."},
    Renaming{"mask_decoder.", ".output_upscaling.1.", ".upscale_layer_norm."},
    Renaming{"mask_decoder.", ".output_upscaling.3.", ".upscale_conv2."},
    Renaming{"mask_decoder.output_hypernetworks_mlps.", ".layers.0.",
             ".proj_in."},
    Renaming{"mask_decoder.output_hypernetworks_mlps.", ".layers.1.",
             ".layers.0."},
    Renaming{"mask_decoder.output_hypernetworks_mlps.", ".layers.2.",
             ".proj_out."},
    Renaming{"mask_decoder.iou_prediction_head.", ".layers.0.", ".proj_in."},
    Renaming{"mask_decoder.iou_prediction_head.", ".layers.1.", ".layers.0."},
    Renaming{"mask_decoder.iou_prediction_head.", ".layers.2.", ".proj_out."}};

// Meta's name of each name of a SamModel like the one in `state`.
std::map<std::string, std::string> meta_keys(const StateDict& state) {
  VitConfig sizes;  // names depend on the number of blocks alone
  sizes.image_size_px = sizes.patch_size_px = sizes.width = sizes.mlp_width = 1;
  sizes.heads = sizes.window = sizes.table_grid = sizes.out_channels = 1;
  sizes.depth = 0;
  while (state.count("vision_encoder.layers." + std::to_string(sizes.depth) +
                     ".attn.rel_pos_h")) {
    ++sizes.depth;
  }
  SamConfig config;
  config.encoder = sizes;
  std::map<std::string, std::string> keys;
  for (const auto& [name, tensor] : Sam(config).state()) {
    keys[hugging_face_sam_key(name)] = name;
  }
  for (const char* name : kHuggingFacePositions) keys[name] = kPosition;
  return keys;
}

}  // namespace

std::string hugging_face_sam_key(const std::string& name) {
  if (name == kPosition) return kHuggingFacePositions[0];
  std::string renamed = name;
  for (const auto& [inside, from, to] : kRenamings) {
    if (renamed.rfind(inside, 0) != 0) continue;
    const std::size_t at = renamed.find(from);
    if (at != std::string::npos) {
      renamed.replace(at, std::string(from).size(), to);
    }
  }
  return renamed;
}

bool has_hugging_face_sam_keys(const StateDict& state) {
  return state.count("vision_encoder.pos_embed") > 0;
}

StateDict from_hugging_face_sam(const StateDict& state,
                                const std::string& source) {
  const auto keys = meta_keys(state);
  StateDict renamed;
  for (const auto& [name, tensor] : state) {
    const auto key = keys.find(name);
    const std::string& own = key == keys.end() ? name : key->second;
    const auto [place, is_new] = renamed.emplace(own, tensor);
    if (!is_new && !at::equal(place->second, tensor)) {
      throw DataError(source + ": " + kHuggingFacePositions[0] + " and " +
                      kHuggingFacePositions[1] +
                      " must be equal and are not; save the model again with "
                      "transformers");
    }
  }
  return renamed;
}

}  // namespace sono
