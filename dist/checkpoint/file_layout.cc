#include "dist/checkpoint/file_layout.h"

#include <algorithm>
#include <map>

#include "core/safetensors_header.h"

namespace sono {
namespace {

constexpr std::int64_t kElementBytes = sizeof(float);

// A buffer and what stands before its tensors' names in the file.
struct Part {
  int buffer;
  const char* prefix;
};

FileLayout make_file(const std::string& name, const Layout& layout,
                     const std::vector<Part>& parts) {
  std::map<std::string, FileTensor> by_name;
  SafetensorsHeader header;
  header.metadata["format"] = "pt";
  for (const Part& part : parts) {
    for (const LayoutEntry& entry : layout.entries()) {
      const std::string full = part.prefix + entry.name;
      header.entries.push_back({full, "F32", entry.shape, 0, 0});
      by_name[full] = {full, entry.shape, {}, part.buffer, entry.offset};
    }
  }
  assign_offsets(header.entries);
  FileLayout file{name, serialize_header(header), {}, 0};
  file.bytes = static_cast<std::int64_t>(file.header.size());
  for (const SafetensorsEntry& entry : header.entries) {
    FileTensor& tensor = by_name[entry.name];
    const auto size = static_cast<std::int64_t>(entry.end - entry.begin);
    tensor.bytes = {file.bytes, file.bytes + size};
    file.bytes += size;
    file.tensors.push_back(std::move(tensor));
  }
  return file;
}

Range overlap(Range a, Range b) {
  return {std::max(a.begin, b.begin), std::min(a.end, b.end)};
}

// Appends the parts of `piece` that lie in `held`.
void append_held(FilePiece piece, const std::vector<Range>& held,
                 std::vector<FilePiece>& out) {
  auto range = std::upper_bound(
      held.begin(), held.end(), piece.elements.begin,
      [](std::int64_t at, const Range& r) { return at < r.end; });
  for (; range != held.end() && range->begin < piece.elements.end; ++range) {
    const Range part = overlap(*range, piece.elements);
    if (part.size() <= 0) continue;
    const std::int64_t begin =
        piece.bytes.begin + (part.begin - piece.elements.begin) * kElementBytes;
    out.push_back(
        {{begin, begin + part.size() * kElementBytes}, piece.buffer, part});
  }
}

}  // namespace

PerBuffer<const FlatBuffer*> checkpoint_buffers(const Arena& arena) {
  return {&arena.params, &arena.exp_avg, &arena.exp_avg_sq, &arena.ema};
}

HeldRanges held_ranges(const Arena& arena) {
  HeldRanges held;
  const auto buffers = checkpoint_buffers(arena);
  for (std::size_t i = 0; i < held.size(); ++i) held[i] = buffers[i]->ranges();
  return held;
}

std::int64_t FileLayout::num_blocks() const {
  return (bytes + kCheckpointBlockBytes - 1) / kCheckpointBlockBytes;
}

Range FileLayout::block(std::int64_t index) const {
  const std::int64_t begin = index * kCheckpointBlockBytes;
  return {begin, std::min(begin + kCheckpointBlockBytes, bytes)};
}

std::vector<FileLayout> file_layouts(const Layout& layout,
                                     const PerBuffer<bool>& defined) {
  const std::vector<std::pair<const char*, std::vector<Part>>> all = {
      {"model.safetensors", {{0, ""}}},
      {"optimizer.safetensors", {{1, "exp_avg."}, {2, "exp_avg_sq."}}},
      {"ema.safetensors", {{3, ""}}}};
  std::vector<FileLayout> files;
  for (const auto& [name, parts] : all) {
    std::vector<Part> there;
    for (const Part& part : parts) {
      if (defined[part.buffer]) there.push_back(part);
    }
    if (!there.empty()) files.push_back(make_file(name, layout, there));
  }
  return files;
}

std::vector<FileLayout> file_layouts(const Arena& arena) {
  PerBuffer<bool> defined;
  const auto buffers = checkpoint_buffers(arena);
  for (std::size_t i = 0; i < defined.size(); ++i) {
    defined[i] = buffers[i]->defined();
  }
  return file_layouts(arena.layout(), defined);
}

std::vector<FilePiece> held_pieces(const FileLayout& file, Range within,
                                   const HeldRanges& held) {
  std::vector<FilePiece> pieces;
  auto tensor = std::upper_bound(
      file.tensors.begin(), file.tensors.end(), within.begin,
      [](std::int64_t at, const FileTensor& t) { return at < t.bytes.end; });
  for (; tensor != file.tensors.end() && tensor->bytes.begin < within.end;
       ++tensor) {
    const Range bytes = overlap(tensor->bytes, within);
    const std::int64_t first =
        tensor->element + (bytes.begin - tensor->bytes.begin) / kElementBytes;
    const Range elements{first, first + bytes.size() / kElementBytes};
    append_held({bytes, tensor->buffer, elements}, held[tensor->buffer],
                pieces);
  }
  return pieces;
}

}  // namespace sono
