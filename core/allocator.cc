#include "core/allocator.h"

#include <malloc.h>

namespace sono {

void keep_freed_memory() {
  // The largest that glibc takes; what is larger is mapped by itself.
  constexpr int kLargest = 32 << 20;
  constexpr int kNever = 2147483647;
  ::mallopt(M_MMAP_THRESHOLD, kLargest);
  ::mallopt(M_TRIM_THRESHOLD, kNever);
  ::mallopt(M_TOP_PAD, 2 * kLargest);
}

}  // namespace sono
