#pragma once
// Builds small torch.save archives byte by byte, sound or hostile.

#include <string>
#include <utility>
#include <vector>

namespace sono::testing {

using ZipFiles = std::vector<std::pair<std::string, std::string>>;

// A zip of stored entries, as torch.save writes.
std::string zip_bytes(const ZipFiles& files);

// Pieces of a pickle of protocol 2.
std::string text(const std::string& value);  // BINUNICODE
std::string integer(std::int32_t value);     // BININT
std::string global(const std::string& module, const std::string& name);
std::string storage(const std::string& key, std::int32_t count,
                    const std::string& type = "FloatStorage");
std::string tuple(const std::vector<std::int32_t>& values);
// _rebuild_tensor_v2 on storage "0" of `count` floats.
std::string tensor(std::int32_t count, std::int32_t offset,
                   const std::vector<std::int32_t>& sizes,
                   const std::vector<std::int32_t>& strides);
// {"weight": value}, with protocol and stop.
std::string dict_with(const std::string& value);

}  // namespace sono::testing
