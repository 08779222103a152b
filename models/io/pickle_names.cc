#include "models/io/pickle_names.h"

#include <algorithm>
#include <array>

namespace sono {
namespace {

constexpr std::array kStorages = {"torch.FloatStorage", "torch.DoubleStorage",
                                  "torch.HalfStorage",  "torch.BFloat16Storage",
                                  "torch.LongStorage",  "torch.IntStorage",
                                  "torch.ShortStorage", "torch.CharStorage",
                                  "torch.ByteStorage",  "torch.BoolStorage"};
// Any name below these modules.
constexpr std::array kModules = {"pytorch_lightning.",
                                 "lightning.",
                                 "lightning_fabric.",
                                 "omegaconf.",
                                 "numpy.",
                                 "collections.",
                                 "torch.",
                                 "typing.",
                                 "pathlib.",
                                 "datetime."};
constexpr std::array kFunctions = {"_codecs.encode", "argparse.Namespace"};
// Of builtins, which also has eval and exec, these types.
constexpr std::array kBuiltins = {
    "set",     "frozenset", "list", "dict",    "tuple",  "int",
    "float",   "bool",      "str",  "bytes",   "object", "bytearray",
    "complex", "slice",     "long", "unicode", "range"};

template <class List>
bool contains(const List& list, const std::string& name) {
  return std::any_of(list.begin(), list.end(),
                     [&](const char* known) { return name == known; });
}

}  // namespace

bool is_storage_type(const std::string& name) {
  return contains(kStorages, name);
}

bool is_bystander(const std::string& name) {
  // Python 3's and, in protocol 2, Python 2's spelling.
  for (const std::string module : {"builtins.", "__builtin__."}) {
    if (name.rfind(module, 0) == 0) {
      return contains(kBuiltins, name.substr(module.size()));
    }
  }
  return contains(kFunctions, name) ||
         std::any_of(kModules.begin(), kModules.end(),
                     [&](const char* m) { return name.rfind(m, 0) == 0; });
}

}  // namespace sono
