#pragma once
// Named sets of choices (experiment.protocol). "equal-work", the default, is
// protocol.md's: every arm makes the same updates. "wang" is what Wang et al.
// 2025 (arXiv 2506.23664) and their code did, to reproduce it by name.

#include "experiments/recipe.h"

namespace sono {

// Sets the options that the recipe's protocol stands for; true when there are
// any. Options that the user gave have to be set again afterwards: they win.
bool apply_protocol(const std::string& protocol, OptionTable& table);

const std::vector<std::string>& known_protocols();

}  // namespace sono
