#include "dist/checkpoint/file_image.h"

#include <algorithm>
#include <map>

#include "core/check.h"
#include "core/safetensors_header.h"

namespace sono {

FileImage::FileImage(const NamedTensors& tensors) {
  std::map<std::string, at::Tensor> by_name;
  SafetensorsHeader header;
  header.metadata["format"] = "pt";
  for (const auto& [name, tensor] : tensors) {
    SONO_CHECK(tensor.scalar_type() == at::kFloat, name << " is not fp32");
    SONO_CHECK(by_name.emplace(name, tensor).second, "two tensors " << name);
    header.entries.push_back({name, "F32", tensor.sizes().vec(), 0, 0});
  }
  assign_offsets(header.entries);
  header_ = serialize_header(header);
  size_ = header_.size();
  for (const SafetensorsEntry& entry : header.entries) {
    segments_.push_back({header_.size() + entry.begin,
                         header_.size() + entry.end,
                         by_name[entry.name].to(at::kCPU).contiguous()});
    size_ = segments_.back().end;
  }
}

std::string FileImage::bytes(std::uint64_t begin, std::uint64_t end) const {
  SONO_CHECK(begin <= end && end <= size_, "range past the end of the file");
  std::string out;
  out.reserve(end - begin);
  if (begin < header_.size()) {
    out = header_.substr(begin, end - begin);
    begin += out.size();
  }
  auto segment = std::upper_bound(
      segments_.begin(), segments_.end(), begin,
      [](std::uint64_t at, const Segment& s) { return at < s.end; });
  for (; begin < end; ++segment) {
    const std::uint64_t stop = std::min(end, segment->end);
    const auto* data = static_cast<const char*>(segment->data.const_data_ptr());
    out.append(data + (begin - segment->begin), stop - begin);
    begin = stop;
  }
  return out;
}

}  // namespace sono
