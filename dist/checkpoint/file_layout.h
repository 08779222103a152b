#pragma once
// Which bytes of a checkpoint's files are which elements of an arena.
//
// In a file tensors stand sorted by name, row-major, without gaps, after a
// header padded to 4096 bytes; in a flat buffer they stand in registration
// order with gaps. Files are written and checked in blocks of 1 MiB.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "dist/arena.h"
#include "dist/checkpoint/manifest.h"

namespace sono {

// The buffers of an arena that a checkpoint holds: params, exp_avg, exp_avg_sq
// and ema, in this order; the last two may be undefined.
constexpr int kNumCheckpointBuffers = 4;
template <class T>
using PerBuffer = std::array<T, kNumCheckpointBuffers>;
PerBuffer<const FlatBuffer*> checkpoint_buffers(const Arena& arena);

// What a rank holds of each buffer; ascending and disjoint.
using HeldRanges = PerBuffer<std::vector<Range>>;
HeldRanges held_ranges(const Arena& arena);

// One tensor in a file: a run of bytes that is contiguous in a buffer too.
struct FileTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  Range bytes;           // from the start of the file
  int buffer;            // index into checkpoint_buffers()
  std::int64_t element;  // where it starts in the flat buffer
};

struct FileLayout {
  std::string name;                 // "model.safetensors"
  std::string header;               // the first bytes of the file
  std::vector<FileTensor> tensors;  // by position
  std::int64_t bytes = 0;           // of the whole file

  std::int64_t num_blocks() const;
  Range block(std::int64_t index) const;  // in bytes of the file
};

// The files of an arena: model, optimizer and, where kept, ema. `defined`: the
// buffers that there are.
std::vector<FileLayout> file_layouts(const Layout& layout,
                                     const PerBuffer<bool>& defined);
std::vector<FileLayout> file_layouts(const Arena& arena);

// A part of a tensor: `bytes` of the file are `elements` of the buffer.
struct FilePiece {
  Range bytes;
  int buffer;
  Range elements;
};

// The pieces of `within` (bytes of the file) that lie in `held`; ascending, cut
// where tensors and held ranges end.
std::vector<FilePiece> held_pieces(const FileLayout& file, Range within,
                                   const HeldRanges& held);

}  // namespace sono
