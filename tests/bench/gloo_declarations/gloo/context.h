#pragma once
// The torch wheel ships ProcessGroupGloo.hpp and the Gloo code, but not Gloo's
// own headers. These files declare the few names that header mentions; every
// object of these types is made and used inside libtorch_cpu, never here.

#include <chrono>

namespace gloo {

class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};

}  // namespace gloo
