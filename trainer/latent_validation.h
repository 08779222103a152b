#pragma once
// The loss on images that are never trained on: at fixed timesteps with fixed
// noise, so that its changes are the model's alone.

#include "dist/communicator.h"
#include "trainer/latent_task.h"

namespace sono {

struct ValidationConfig {
  int timesteps = 4;  // an image, evenly over the schedule
  std::uint64_t seed = 0;
  double scaling_factor = 0.18215;  // of the autoencoder
};

// Mean squared error of what the network says, unweighted, averaged over images
// and timesteps; the mean latent of each stands for it. The same bits on any
// number of ranks. All ranks must call.
double validation_loss(Communicator& comm, LatentTask& task,
                       const LatentExamples& held_out,
                       const ValidationConfig& config);

}  // namespace sono
