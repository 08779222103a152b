#pragma once
// The names that parameters have in the single files of the original Stable
// Diffusion code (CompVis/latent-diffusion, openai/guided-diffusion, open_clip,
// ControlNet), found from the structure that a module's own names show. The
// facts are those of diffusers/loaders/single_file_utils.py.

#include <map>
#include <string>
#include <vector>

namespace sono {

enum class ModelPart { kUNet, kVae, kTextEncoder, kControlNet };

// "unet", "vae", "text_encoder", "controlnet": also diffusers' folder names.
const char* part_name(ModelPart part);

struct OriginalTensor {
  std::string name;  // below the part's prefix
  int third = -1;    // 0, 1, 2: these rows of a fused q, k, v; -1: all of it

  bool operator==(const OriginalTensor&) const = default;
};

using OriginalNames = std::map<std::string, OriginalTensor>;

// By own name. Own names that no rule covers are absent, and so end up listed
// as missing when the weights are loaded.
OriginalNames original_names(ModelPart part,
                             const std::vector<std::string>& names);
// The same for a text encoder in open_clip's spelling (Stable Diffusion 2).
OriginalNames open_clip_names(const std::vector<std::string>& names);

}  // namespace sono
