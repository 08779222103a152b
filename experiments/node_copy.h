#pragma once
// Copies of read-only inputs on a node's own disk.

#include <filesystem>

#include "experiments/recipe.h"

namespace sono {

// A copy of the file or folder `source` below $TMPDIR (else /tmp), made by the
// first process of the node that asks; the others wait for it. Content that
// changed (size or time of any file) gives another copy. DataError or
// ResourceError as of the files.
std::filesystem::path node_copy(const std::filesystem::path& source);

// The same with place.stage_weights; else, and for an empty path, `source`.
std::filesystem::path staged_weights(const PlaceConfig& place,
                                     const std::filesystem::path& source);

}  // namespace sono
