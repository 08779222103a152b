#pragma once
// How fast the ranks decode images, all at once.

#include <vector>

#include "dist/communicator.h"

namespace sono {

struct ImageRate {
  int width = 0, height = 0;       // px
  std::int64_t file_bytes = 0;     // of the PNG
  std::vector<double> per_second;  // images, by rank
};

// Of a phantom of HC18's size as PNG, for about `seconds`. The same on all
// ranks; all must call.
ImageRate measure_image_rate(Communicator& comm, double seconds);

}  // namespace sono
