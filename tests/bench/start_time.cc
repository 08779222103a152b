// From the start of the process to weights that a step can use: those of a
// UNet in diffusers' folder layout, mapped, checked for NaN and made the
// parameters of a module. The peer is tests/bench/start_time.py.
//
//   start_time FOLDER
//
// FOLDER holds unet/ as tests/bench/start_time.py writes it. Prints one line of
// samples: seconds since the process began, with loading of libraries.

#include <time.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/safetensors_header.h"
#include "models/io/pretrained.h"

namespace sono::bench {
namespace {

// Parameters of the shapes in a file; what a network has beside them costs
// nothing at start.
class StoredModule : public Module {
 public:
  explicit StoredModule(const std::filesystem::path& weights) {
    for (const SafetensorsEntry& entry : read_header(weights).entries) {
      (void)add_parameter(entry.name, entry.shape);
    }
  }
};

// Since the kernel started this process, to a hundredth of a second
// (/proc/self/stat, field 22).
double seconds_since_start() {
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) +
         static_cast<double>(now.tv_nsec) * 1e-9 -
         std::stod(field) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

void measure(const std::filesystem::path& folder) {
  StoredModule module(folder / "unet/diffusion_pytorch_model.safetensors");
  open_pretrained(folder)->load(ModelPart::kUNet, module);
  const double seconds = seconds_since_start();
  std::int64_t parameters = 0;
  for (const auto& [name, tensor] : module.named_parameters()) {
    parameters += tensor.numel();
  }
  const nlohmann::json line = {{"series", "start/weights/ours"},
                               {"unit", "s"},
                               {"values", {seconds}},
                               {"ranks", 1},
                               {"parameters", parameters}};
  std::cout << line.dump() << std::endl;
}

}  // namespace
}  // namespace sono::bench

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw sono::ConfigError("usage: start_time FOLDER");
    sono::bench::measure(argv[1]);
    return 0;
  } catch (const sono::Error& error) {
    std::cerr << error.what() << "\n";
    return error.exit_code();
  }
}
