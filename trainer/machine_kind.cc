#include "trainer/machine_kind.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include "dist/nccl/communicator.h"
#include "trainer/compute_device.h"

namespace sono {
namespace {

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::string cpuinfo() {
  std::ifstream file("/proc/cpuinfo");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::string cpu_model(const std::string& cpuinfo) {
  // Intel and AMD name the first three, ARM the others.
  constexpr std::array kFields = {"vendor_id", "cpu family", "model",
                                  "CPU implementer", "CPU part"};
  std::istringstream lines(cpuinfo);
  std::string model;
  for (std::string line; std::getline(lines, line) && !line.empty();) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string name = trimmed(line.substr(0, colon));
    if (std::find(kFields.begin(), kFields.end(), name) == kFields.end()) {
      continue;
    }
    model += (model.empty() ? "" : " ") + trimmed(line.substr(colon + 1));
  }
  return model;
}

nlohmann::json machine_kind() {
  static const std::string model = cpu_model(cpuinfo());
  const c10::Device& device = compute_device();
  return {{"device", device.is_cpu() ? "cpu" : gpu_kind(device.index())},
          {"cpu_model", model},
          {"cpu_capability", at::get_cpu_capability()},
          {"libtorch", TORCH_VERSION},
          {"threads", at::get_num_threads()}};
}

}  // namespace sono
