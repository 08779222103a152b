#pragma once
// NVIDIA's driver and GPUs as this host shows them, asked of NVML and /proc
// without linking either.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "launch/doctor/findings.h"

namespace sono {

// What CUDA 13, which the LibTorch wheel brings along, needs (docs/doctor.md
// has the source).
inline constexpr int kCuda13Driver = 580;
inline constexpr int kCuda13Capability = 75;  // 7.5, Turing

struct Gpu {
  std::string name, uuid;
  int capability = 0;  // 10 * major + minor; 0: not told
  std::int64_t memory_bytes = 0;
  // Since the last reset, uncorrected; -1 where the GPU counts none.
  std::int64_t ecc_errors = -1;
};

struct DeviceFacts {
  std::string driver;  // "580.65.06"; empty: no driver
  std::vector<Gpu> gpus;
  // Why the driver told nothing of GPUs; empty when it did, or without driver.
  std::string trouble;
};

DeviceFacts look_at_devices();
nlohmann::json to_json(const DeviceFacts& facts);
DeviceFacts devices_from_json(const nlohmann::json& json);

// The host's findings. Trouble is a failure where the ranks are to compute on
// GPUs, else a warning.
void judge_devices(const std::string& host, const DeviceFacts& facts,
                   bool wanted, Findings& findings);

}  // namespace sono
