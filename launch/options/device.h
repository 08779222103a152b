#pragma once
// Makes the device that a process was given the one that it computes on.

#include <string>

#include "dist/bootstrap.h"

namespace sono {

// Of a rank. ConfigError as of set_compute_device.
void use_device(const RankDevice& device);
// Of a worker that is no rank, by its place on its host: `wanted` is
// place.device.
void use_worker_device(const std::string& wanted);

}  // namespace sono
