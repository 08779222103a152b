#pragma once
// The kind of machine that computes: what, besides program and inputs, decides
// the bits of a result.

#include <nlohmann/json.hpp>
#include <string>

namespace sono {

// Device (a GPU by its model and CUDA's version), CPU make and instruction set,
// LibTorch's version, threads a rank. Ranks and workers of another kind are
// refused, and stages and caches made by another kind are not taken over.
nlohmann::json machine_kind();

// Make and model of the first processor from the text of /proc/cpuinfo, since
// libraries choose kernels by them: "AuthenticAMD 25 17". Empty when unknown.
std::string cpu_model(const std::string& cpuinfo);

}  // namespace sono
