#include "launch/options/device.h"

#include "dist/launch_environment.h"
#include "trainer/compute_device.h"

namespace sono {

void use_device(const RankDevice& device) {
  if (device.index < 0) return;
  set_compute_device(
      c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(device.index)));
}

void use_worker_device(const std::string& wanted) {
  SessionOptions options;
  options.device = wanted;
  use_device(
      choose_device(options, launch_place(process_environment()).local_rank));
}

}  // namespace sono
