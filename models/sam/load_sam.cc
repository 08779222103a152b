#include "models/sam/load_sam.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/io/safetensors.h"
#include "models/io/torch_pickle.h"
#include "models/sam/hugging_face_keys.h"

namespace sono {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// One part of Hugging Face's config.json, whose fields are left out where they
// have the default value.
class ConfigPart {
 public:
  ConfigPart(const Json& whole, std::string part, std::string file)
      : part_(std::move(part)), file_(std::move(file)) {
    if (whole.is_object() && whole.contains(part_)) values_ = whole.at(part_);
    if (values_.is_null()) values_ = Json::object();
    if (!values_.is_object()) refuse("", "is no table");
  }

  template <class T>
  T get(const char* field, const T& usual) const {
    if (!values_.contains(field)) return usual;
    try {
      return values_.at(field).get<T>();
    } catch (const Json::exception&) {
      refuse(field, "has the wrong type");
    }
  }

  // The weights say `found`.
  template <class T>
  void expect(const char* field, const T& found, const T& usual) const {
    if (get(field, usual) == found) return;
    refuse(field, "is " + values_.value(field, Json(usual)).dump() +
                      ", the weights beside it have " + Json(found).dump());
  }

  [[noreturn]] void refuse(const std::string& field,
                           const std::string& why) const {
    throw DataError(file_ + ": " + part_ + "." + field + " " + why +
                    "; take config.json and weights from one model");
  }

 private:
  std::string part_, file_;
  Json values_;
};

Json read_json(const fs::path& file) {
  std::ifstream in(file);
  try {
    return Json::parse(in);
  } catch (const Json::exception&) {
    throw DataError(file.string() + ": not readable as JSON");
  }
}

void expect_vision(const ConfigPart& part, const SamConfig& config) {
  const auto& vit = std::get<VitConfig>(config.encoder);
  const VitConfig usual;
  part.expect("hidden_size", vit.width, usual.width);
  part.expect("num_hidden_layers", vit.depth, usual.depth);
  part.expect("num_attention_heads", vit.heads, usual.heads);
  part.expect("image_size", vit.image_size_px, usual.image_size_px);
  part.expect("patch_size", vit.patch_size_px, usual.patch_size_px);
  part.expect("output_channels", vit.out_channels, usual.out_channels);
  part.expect("global_attn_indexes", vit.global_blocks, usual.global_blocks);
  if (vit.depth > static_cast<std::int64_t>(vit.global_blocks.size())) {
    part.expect("window_size", vit.window, usual.window);
  }
  part.expect<std::string>("hidden_act", "gelu", "gelu");
  if (part.get("use_rel_pos", true) != true) {
    part.refuse("use_rel_pos", "must be true");
  }
}

void expect_decoder(const ConfigPart& part, SamConfig& config) {
  TwoWayConfig& transformer = config.decoder.transformer;
  const TwoWayConfig usual;
  part.expect("hidden_size", transformer.channels, usual.channels);
  part.expect("mlp_dim", transformer.mlp_width, usual.mlp_width);
  part.expect("num_hidden_layers", transformer.depth, usual.depth);
  part.expect("attention_downsample_rate", transformer.cross_downsample,
              usual.cross_downsample);
  part.expect("num_multimask_outputs", MaskDecoder::kNumMasks - 1,
              MaskDecoder::kNumMasks - 1);
  transformer.heads =
      part.get<std::int64_t>("num_attention_heads", usual.heads);
  if (transformer.heads < 1 ||
      transformer.channels / transformer.cross_downsample % transformer.heads !=
          0) {
    part.refuse("num_attention_heads", "does not divide the width");
  }
}

void read_config(const fs::path& file, SamConfig& config) {
  const Json json = read_json(file);
  if (!config.is_vit()) {
    throw DataError(file.string() +
                    ": describes a SAM ViT, and the weights beside it are "
                    "LiteMedSAM's; give the weights file itself");
  }
  expect_vision({json, "vision_config", file.string()}, config);
  expect_decoder({json, "mask_decoder_config", file.string()}, config);
}

}  // namespace

fs::path sam_weights_file(const fs::path& path) {
  if (!fs::is_directory(path)) return path;
  const fs::path file = path / "model.safetensors";
  if (fs::exists(file)) return file;
  throw DataError(path.string() +
                  ": holds no model.safetensors; give a folder of Hugging "
                  "Face's, or a weights file");
}

StateDict load_sam_state(const fs::path& file) {
  StateDict state = file.extension() == ".safetensors"
                        ? load_safetensors(file)
                        : load_torch_checkpoint(file);
  return has_hugging_face_sam_keys(state)
             ? from_hugging_face_sam(state, file.string())
             : state;
}

std::unique_ptr<Sam> load_sam(const fs::path& path) {
  const fs::path file = sam_weights_file(path);
  const StateDict state = load_sam_state(file);
  SamConfig config = detect_sam_config(state, file.string());
  const fs::path json = path / "config.json";
  if (file != path && fs::exists(json)) read_config(json, config);
  auto model = std::make_unique<Sam>(config);
  model->load(state, file.string());
  return model;
}

}  // namespace sono
