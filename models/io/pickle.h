#pragma once
// A reader for the small part of Python's pickle language in which torch.save
// describes tensors. It builds plain records and runs nothing. The names it
// understands are torch's storages, torch._utils._rebuild_tensor_v2,
// torch._utils._rebuild_parameter and collections.OrderedDict. What training
// frameworks keep beside the weights (callbacks, numpy scalars) becomes opaque
// records that carry only a name; every other name or opcode is a DataError.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sono {

// One value; children are indices into PickleValues::nodes, so that neither
// deep nesting nor cycles can hurt.
struct PickleNode {
  enum class Kind {
    kNone,
    kBool,
    kInt,
    kFloat,
    kText,
    kTuple,
    kList,
    kDict,
    kGlobal,
    kStorage,
    kTensor,
    kOpaque
  };
  Kind kind = Kind::kNone;
  std::int64_t integer = 0;  // kBool, kInt; kStorage: its number of elements
  // kText; kGlobal: its name; kStorage: its key; kOpaque: what would make it
  std::string text;
  std::string storage_type;  // kStorage: "FloatStorage"
  // kTuple, kList: elements. kDict: key, value, key, value, ...
  // kTensor: storage, offset, sizes, strides.
  std::vector<std::uint32_t> items;
};

struct PickleValues {
  std::vector<PickleNode> nodes;
  std::uint32_t root = 0;

  const PickleNode& at(std::uint32_t index) const { return nodes.at(index); }
};

// `file` is named in errors.
PickleValues parse_pickle(std::string_view bytes, const std::string& file);

}  // namespace sono
