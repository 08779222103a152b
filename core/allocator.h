#pragma once
// How the C library treats freed memory.

namespace sono {

// Keeps freed memory of tensors up to 32 MiB for the next ones in place of
// giving it back to the system, which would clear every page of it again: a
// training step allocates and frees the same sizes over and over. Measured on
// a LoRA step of 860 M parameters: 11 % less time, the same peak. For the whole
// process; call before the first thread.
void keep_freed_memory();

}  // namespace sono
