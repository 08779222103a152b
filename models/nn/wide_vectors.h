#pragma once
// SONO_WIDE_VECTORS before a function compiles it once for each width of the
// processor's vectors and takes the widest that is there when the program
// starts; the baseline of x86-64 has vectors of four floats.

#if defined(__x86_64__) && defined(__gnu_linux__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SONO_WIDE_VECTORS \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SONO_WIDE_VECTORS
#endif
