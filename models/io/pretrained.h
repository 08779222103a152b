#pragma once
// A published Stable Diffusion model on disk, in either of its two layouts:
//   diffusers' folder   unet/ vae/ text_encoder/ tokenizer/ scheduler/, each
//                       with its config.json and weights; or one of these
//                       folders alone, as ControlNets are published
//   a single file       .safetensors or .ckpt with the original code's names
// Weights are mapped, not read; every key that has no place is listed.

#include <filesystem>
#include <memory>
#include <string>

#include "models/io/config_json.h"
#include "models/io/original_names.h"
#include "models/nn/module.h"

namespace sono {

struct PretrainedOptions {
  // "fp16" for NAME.fp16.safetensors; empty for the files without a variant.
  std::string variant;
  // What a single file does not hold: a folder with vocab.json and merges.txt,
  std::filesystem::path tokenizer;
  // and, for Stable Diffusion 2, "epsilon" or "v_prediction".
  std::string prediction_type;
};

// Immutable; one thread at a time.
class Pretrained {
 public:
  virtual ~Pretrained() = default;

  virtual bool has(ModelPart part) const = 0;
  // config.json of the part, or the one that stands for a single file.
  virtual ConfigJson config(ModelPart part) const = 0;
  // scheduler/scheduler_config.json, or that of the published model.
  virtual ConfigJson scheduler_config() const = 0;
  // For ClipTokenizer.
  virtual std::filesystem::path tokenizer_folder() const = 0;
  // Makes the part's weights the module's parameters (Module::adopt_state).
  void load(ModelPart part, Module& module,
            at::ScalarType dtype = at::kFloat) const;

 protected:
  // The tensors of the part by the names in `own`; those without a place keep
  // the names of the file, so that they are listed as unexpected.
  virtual StateDict state(ModelPart part, const StateDict& own) const = 0;
  virtual std::string source(ModelPart part) const = 0;
};

// A folder or a file. DataError naming what is missing and the remedy.
std::unique_ptr<Pretrained> open_pretrained(
    const std::filesystem::path& path, const PretrainedOptions& options = {});

// The two behind it.
std::unique_ptr<Pretrained> open_diffusers_folder(
    const std::filesystem::path& folder, const PretrainedOptions& options);
std::unique_ptr<Pretrained> open_original_file(
    const std::filesystem::path& file, const PretrainedOptions& options);

}  // namespace sono
