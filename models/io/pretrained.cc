#include "models/io/pretrained.h"

#include "core/error.h"

namespace sono {

void Pretrained::load(ModelPart part, Module& module,
                      at::ScalarType dtype) const {
  module.adopt_state(state(part, module.state()), source(part), dtype);
}

std::unique_ptr<Pretrained> open_pretrained(const std::filesystem::path& path,
                                            const PretrainedOptions& options) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return open_diffusers_folder(path, options);
  }
  if (std::filesystem::is_regular_file(path, ignored)) {
    return open_original_file(path, options);
  }
  throw DataError(path.string() +
                  ": no model there; wanted a folder in diffusers' layout, or "
                  "a .safetensors or .ckpt file");
}

}  // namespace sono
