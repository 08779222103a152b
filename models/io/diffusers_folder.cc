// diffusers' folder layout.

#include <algorithm>
#include <optional>
#include <vector>

#include "core/error.h"
#include "models/io/pretrained.h"
#include "models/io/weight_file.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

bool starts_with(const std::string& text, std::string_view start) {
  return text.compare(0, start.size(), start) == 0;
}

// Names under which diffusers and transformers save weights, best first. A
// variant stands before the ending.
std::vector<std::string> weight_names(ModelPart part,
                                      const std::string& variant) {
  const bool text = part == ModelPart::kTextEncoder;
  const std::string stem = text ? "model" : "diffusion_pytorch_model";
  const std::string old = text ? "pytorch_model" : stem;
  const std::string v = variant.empty() ? "" : "." + variant;
  return {stem + v + ".safetensors", stem + ".safetensors.index" + v + ".json",
          old + v + ".bin", old + ".bin.index" + v + ".json"};
}

// "mid.attentions.0.query.weight", as before diffusers 0.15, is "to_q" now.
std::string modern_attention(const std::string& name) {
  static const std::pair<std::string, std::string> kOld[] = {
      {".query.", ".to_q."},
      {".key.", ".to_k."},
      {".value.", ".to_v."},
      {".proj_attn.", ".to_out.0."}};
  const std::size_t block = name.find("attentions.");
  if (block == std::string::npos) return name;
  for (const auto& [old, modern] : kOld) {
    const std::size_t at = name.find(old, block);
    if (at != std::string::npos) {
      return name.substr(0, at) + modern + name.substr(at + old.size());
    }
  }
  return name;
}

// transformers 5 leaves out "text_model."; 4 saved the positions 0 to 76 too.
std::string published_text_name(const std::string& name) {
  for (const char* start : {"embeddings.", "encoder.", "final_layer_norm."}) {
    if (starts_with(name, start)) return "text_model." + name;
  }
  return name;
}

ModelPart part_of(const ConfigJson& json) {
  const std::string name =
      json.expect_class({"UNet2DConditionModel", "UNet2DModel", "AutoencoderKL",
                         "ControlNetModel", "CLIPTextModel"});
  if (name == "AutoencoderKL") return ModelPart::kVae;
  if (name == "ControlNetModel") return ModelPart::kControlNet;
  return name == "CLIPTextModel" ? ModelPart::kTextEncoder : ModelPart::kUNet;
}

bool is_position_ids(const std::string& name) {
  return name == "embeddings.position_ids" ||
         name == "text_model.embeddings.position_ids";
}

class DiffusersFolder : public Pretrained {
 public:
  DiffusersFolder(fs::path folder, std::string variant)
      : folder_(std::move(folder)), variant_(std::move(variant)) {
    const fs::path index = folder_ / "model_index.json";
    if (fs::exists(folder_ / "config.json")) {
      alone_ = part_of(ConfigJson(folder_ / "config.json"));
    } else if (fs::exists(index)) {
      (void)ConfigJson(index).expect_class(
          {"StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline",
           "StableDiffusionInpaintPipeline",
           "StableDiffusionControlNetPipeline"});
    } else if (!has(ModelPart::kUNet) && !has(ModelPart::kVae)) {
      throw DataError(folder_.string() +
                      ": no model in diffusers' layout: neither "
                      "model_index.json nor unet/, vae/ or config.json in it");
    }
  }

  bool has(ModelPart part) const override {
    return fs::exists(folder_of(part) / "config.json");
  }
  ConfigJson config(ModelPart part) const override {
    return ConfigJson(folder_of(part) / "config.json");
  }
  ConfigJson scheduler_config() const override {
    return ConfigJson(folder_ / "scheduler" / "scheduler_config.json");
  }
  fs::path tokenizer_folder() const override { return folder_ / "tokenizer"; }

 protected:
  StateDict state(ModelPart part, const StateDict& own) const override {
    const bool text = part == ModelPart::kTextEncoder;
    StateDict all;
    for (const auto& [name, tensor] : map_weights(weights(part))) {
      if (text && is_position_ids(name)) continue;
      const std::string known = own.count(name) ? name
                                : text          ? published_text_name(name)
                                                : modern_attention(name);
      if (!all.emplace(known, tensor).second) {
        throw DataError(source(part) + ": holds " + known +
                        " under two spellings; which is meant is not known");
      }
    }
    return all;
  }
  std::string source(ModelPart part) const override {
    return weights(part).string();
  }

 private:
  fs::path folder_of(ModelPart part) const {
    return alone_ == part ? folder_ : folder_ / part_name(part);
  }
  fs::path weights(ModelPart part) const {
    const fs::path folder = folder_of(part);
    const auto names = weight_names(part, variant_);
    for (const std::string& name : names) {
      if (fs::exists(folder / name)) return folder / name;
    }
    std::string there;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      there += "\n    " + entry.path().filename().string();
    }
    throw DataError(folder.string() + ": no " + names[0] + " or " + names[2] +
                    (variant_.empty() ? "; files of a variant (fp16) are used "
                                        "where it is asked for"
                                      : " of the variant " + variant_) +
                    "; the folder holds:" + there);
  }

  fs::path folder_;
  std::string variant_;
  std::optional<ModelPart> alone_;  // the folder is that of one part
};

}  // namespace

std::unique_ptr<Pretrained> open_diffusers_folder(
    const fs::path& folder, const PretrainedOptions& options) {
  return std::make_unique<DiffusersFolder>(folder, options.variant);
}

}  // namespace sono
