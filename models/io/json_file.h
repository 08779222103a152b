#pragma once
// JSON that a stranger wrote: bounded in size and depth, no key twice.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace sono {

// The object in `text`. DataError naming `source` for anything else: bad JSON,
// more than 64 levels, a key of the outermost object that is there twice.
nlohmann::json parse_json_object(std::string_view text,
                                 const std::string& source);

// The same of a file of at most `max_bytes`.
nlohmann::json read_json_object(const std::filesystem::path& path,
                                std::uint64_t max_bytes);

}  // namespace sono
