#include "launch/doctor/devices.h"

#include <dlfcn.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>

#include "core/disk_space.h"

namespace sono {
namespace {

// The part of NVML's stable C interface that is used here.
struct NvmlMemory {
  unsigned long long total, free, used;
};
using NvmlDevice = void*;
constexpr int kNvmlSuccess = 0;
constexpr int kUncorrected = 1, kVolatile = 0;

class Nvml {
 public:
  Nvml() : library_(::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) {
      trouble_ = "libnvidia-ml.so.1, a part of the driver, cannot be loaded";
      return;
    }
    const int code = call<int()>("nvmlInit_v2");
    started_ = code == kNvmlSuccess;
    if (!started_) trouble_ = "nvmlInit failed with " + std::to_string(code);
  }
  ~Nvml() {
    if (started_) call<int()>("nvmlShutdown");
  }
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  const std::string& trouble() const { return trouble_; }

  std::string driver() {
    std::array<char, 96> text = {};
    call<int(char*, unsigned)>("nvmlSystemGetDriverVersion", text.data(),
                               static_cast<unsigned>(text.size()));
    return text.data();
  }

  std::vector<Gpu> gpus() {
    unsigned count = 0;
    call<int(unsigned*)>("nvmlDeviceGetCount_v2", &count);
    std::vector<Gpu> gpus;
    for (unsigned i = 0; i < count; ++i) {
      NvmlDevice device = nullptr;
      if (call<int(unsigned, NvmlDevice*)>("nvmlDeviceGetHandleByIndex_v2", i,
                                           &device) == kNvmlSuccess) {
        gpus.push_back(gpu(device));
      }
    }
    return gpus;
  }

 private:
  Gpu gpu(NvmlDevice device) {
    Gpu gpu;
    std::array<char, 96> text = {};
    const auto size = static_cast<unsigned>(text.size());
    using Text = int(NvmlDevice, char*, unsigned);
    if (call<Text>("nvmlDeviceGetName", device, text.data(), size) == 0) {
      gpu.name = text.data();
    }
    if (call<Text>("nvmlDeviceGetUUID", device, text.data(), size) == 0) {
      gpu.uuid = text.data();
    }
    int major = 0, minor = 0;
    call<int(NvmlDevice, int*, int*)>("nvmlDeviceGetCudaComputeCapability",
                                      device, &major, &minor);
    gpu.capability = 10 * major + minor;
    NvmlMemory memory = {};
    call<int(NvmlDevice, NvmlMemory*)>("nvmlDeviceGetMemoryInfo", device,
                                       &memory);
    gpu.memory_bytes = static_cast<std::int64_t>(memory.total);
    unsigned long long errors = 0;
    if (call<int(NvmlDevice, int, int, unsigned long long*)>(
            "nvmlDeviceGetTotalEccErrors", device, kUncorrected, kVolatile,
            &errors) == kNvmlSuccess) {
      gpu.ecc_errors = static_cast<std::int64_t>(errors);
    }
    return gpu;
  }

  // -1 where the library lacks the function.
  template <class Function, class... Arguments>
  int call(const char* name, Arguments... arguments) {
    void* const symbol = ::dlsym(library_, name);
    if (symbol == nullptr) return -1;
    return reinterpret_cast<Function*>(symbol)(arguments...);
  }

  void* library_;  // left open: NVML's own threads may outlive us
  bool started_ = false;
  std::string trouble_;
};

// "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  ...".
std::string kernel_driver() {
  std::ifstream file("/proc/driver/nvidia/version");
  for (std::string word; file >> word;) {
    if (word.find('.') != std::string::npos && std::isdigit(word[0])) {
      return word;
    }
  }
  return "";
}

const char* generation(int capability) {
  static const std::map<int, const char*> kNames = {
      {50, "Maxwell"}, {60, "Pascal"}, {70, "Volta"},  {75, "Turing"},
      {80, "Ampere"},  {89, "Ada"},    {90, "Hopper"}, {100, "Blackwell"}};
  const auto above = kNames.upper_bound(capability);
  return above == kNames.begin() ? "Kepler or older" : std::prev(above)->second;
}

std::string gpu_text(const Gpu& gpu) {
  return gpu.name + " (" + generation(gpu.capability) + " " +
         std::to_string(gpu.capability / 10) + "." +
         std::to_string(gpu.capability % 10) + ", " +
         bytes_text(static_cast<double>(gpu.memory_bytes)) + ")";
}

void judge_gpu(const std::string& host, const Gpu& gpu, Findings& findings,
               const auto& bad) {
  if (gpu.capability > 0 && gpu.capability < kCuda13Capability) {
    bad(host + ": " + gpu_text(gpu) +
            ": CUDA 13 dropped the generations before Turing (7.5)",
        "use a Turing or newer GPU, or the CPU");
  }
  if (gpu.ecc_errors > 0) {
    findings.warn("devices",
                  host + ": " + gpu.name + " " + gpu.uuid + " counted " +
                      std::to_string(gpu.ecc_errors) +
                      " uncorrected memory errors",
                  "have the GPU reset or replaced before a long run");
  }
}

}  // namespace

DeviceFacts look_at_devices() {
  DeviceFacts facts;
  facts.driver = kernel_driver();
  Nvml nvml;
  if (!nvml.trouble().empty()) {
    if (!facts.driver.empty()) facts.trouble = nvml.trouble();
    return facts;
  }
  if (facts.driver.empty()) facts.driver = nvml.driver();
  facts.gpus = nvml.gpus();
  return facts;
}

nlohmann::json to_json(const DeviceFacts& facts) {
  nlohmann::json gpus = nlohmann::json::array();
  for (const Gpu& gpu : facts.gpus) {
    gpus.push_back({{"name", gpu.name},
                    {"uuid", gpu.uuid},
                    {"capability", gpu.capability},
                    {"memory_bytes", gpu.memory_bytes},
                    {"ecc_errors", gpu.ecc_errors}});
  }
  return {{"driver", facts.driver}, {"gpus", gpus}, {"trouble", facts.trouble}};
}

DeviceFacts devices_from_json(const nlohmann::json& json) {
  DeviceFacts facts{json.at("driver"), {}, json.at("trouble")};
  for (const auto& gpu : json.at("gpus")) {
    facts.gpus.push_back({gpu.at("name"), gpu.at("uuid"), gpu.at("capability"),
                          gpu.at("memory_bytes"), gpu.at("ecc_errors")});
  }
  return facts;
}

void judge_devices(const std::string& host, const DeviceFacts& facts,
                   bool wanted, Findings& findings) {
  const auto bad = [&](const std::string& text, const std::string& remedy) {
    if (wanted) return findings.fail("devices", text, remedy, 4);
    findings.warn("devices", text, remedy);
  };
  if (facts.driver.empty()) {
    const std::string text =
        host + ": no NVIDIA driver, so the ranks there compute on the CPU";
    if (!wanted) return findings.note("devices", text);
    return bad(text, "install driver " + std::to_string(kCuda13Driver) +
                         " or newer, or take device cpu");
  }
  if (std::atoi(facts.driver.c_str()) < kCuda13Driver) {
    bad(host + ": driver " + facts.driver + ", CUDA 13 needs " +
            std::to_string(kCuda13Driver) + " or newer",
        "update the driver, or compute on the CPU");
  }
  if (!facts.trouble.empty()) {
    return bad(host + ": driver " + facts.driver + ": " + facts.trouble,
               "start doctor where the driver's libraries are seen "
               "(containers: apptainer --nv)");
  }
  if (facts.gpus.empty()) {
    return bad(host + ": driver " + facts.driver + ", but no GPU is seen",
               "look at CUDA_VISIBLE_DEVICES and ask for GPUs (--gres=gpu:1)");
  }
  for (const Gpu& gpu : facts.gpus) {
    findings.note("devices",
                  host + ": driver " + facts.driver + ", " + gpu_text(gpu));
    judge_gpu(host, gpu, findings, bad);
  }
}

}  // namespace sono
