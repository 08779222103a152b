#pragma once
// The names of Python's that a pickle of weights may refer to.

#include <string>

namespace sono {

inline constexpr const char* kOrderedDict = "collections.OrderedDict";
inline constexpr const char* kRebuildTensor = "torch._utils._rebuild_tensor_v2";
inline constexpr const char* kRebuildParameter =
    "torch._utils._rebuild_parameter";

// "torch.FloatStorage" and its like.
bool is_storage_type(const std::string& name);

// Where the records come from that stand beside the weights in checkpoints of
// training frameworks. Nothing of them is run or read; the list only keeps
// files apart that hold something nobody would expect there.
bool is_bystander(const std::string& name);

}  // namespace sono
