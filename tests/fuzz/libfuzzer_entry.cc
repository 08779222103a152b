// One libFuzzer program a target; CMake names it in SONO_FUZZ_TARGET.

#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  return sono::fuzz::SONO_FUZZ_TARGET(data, size);
}
