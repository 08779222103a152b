#include "launch/options/recipe_config.h"

#include "experiments/protocol.h"

namespace sono {

void load_recipe(CommandLine& line, const std::string& recipe_file,
                 Recipe& recipe) {
  line.load_config(recipe_file);
  // A protocol's options come first, so that those given win.
  if (apply_protocol(recipe.experiment.protocol, line.config())) {
    line.load_config(recipe_file);
  }
  recipe.validate();
}

std::filesystem::path run_folder(const std::string& out,
                                 const std::string& recipe_file) {
  if (!out.empty()) return out;
  return std::filesystem::path("runs") /
         std::filesystem::path(recipe_file).stem();
}

}  // namespace sono
