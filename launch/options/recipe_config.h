#pragma once
// What the commands that take a recipe file have in common.

#include <filesystem>
#include <string>

#include "experiments/recipe.h"
#include "launch/options/command_line.h"

namespace sono {

// Sets `recipe`, which the line's config describes, from the file, its protocol
// and --set. After parse. ConfigError as in Recipe::validate.
void load_recipe(CommandLine& line, const std::string& recipe_file,
                 Recipe& recipe);

// `out`, or where it is empty runs/ and the recipe's name.
std::filesystem::path run_folder(const std::string& out,
                                 const std::string& recipe_file);

}  // namespace sono
