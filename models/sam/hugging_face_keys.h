#pragma once
// The other names that SAM's parameters go by: those of SamModel in Hugging
// Face's transformers, releases 4 and 5.

#include <string>

#include "models/nn/module.h"

namespace sono {

// The name in a SamModel of the parameter that Meta's files call `name`.
std::string hugging_face_sam_key(const std::string& name);

// Whether these are SamModel's names.
bool has_hugging_face_sam_keys(const StateDict& state);

// The same tensors under Meta's names; names that no SAM has stay as they are,
// for a strict load to list. Files of either release are taken: they hold the
// position encoding under one of two names, or under both. DataError naming
// `source` when the two differ.
StateDict from_hugging_face_sam(const StateDict& state,
                                const std::string& source);

}  // namespace sono
