#include "models/io/json_file.h"

#include <set>

#include "core/error.h"
#include "models/io/file_reader.h"

namespace sono {
namespace {

using Json = nlohmann::json;

// Printing a value recurses, and the stack is not endless.
constexpr int kMaxDepth = 64;

}  // namespace

Json parse_json_object(std::string_view text, const std::string& source) {
  std::set<std::string> seen;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > kMaxDepth) throw DataError(source + ": nested too deeply");
    // The parser keeps the last of equal keys; which was meant, nobody knows.
    if (depth == 1 && event == Json::parse_event_t::key &&
        !seen.insert(value.get<std::string>()).second) {
      throw DataError(source + ": " + value.get<std::string>() +
                      " is there twice; keep one");
    }
    return true;
  };
  try {
    Json json = Json::parse(text, watch);
    if (!json.is_object()) throw DataError(source + ": not a JSON object");
    return json;
  } catch (const Json::exception& e) {
    throw DataError(source + ": not sound JSON: " + e.what());
  }
}

Json read_json_object(const std::filesystem::path& path,
                      std::uint64_t max_bytes) {
  const FileReader file(path);
  if (file.size_bytes() > max_bytes) {
    throw DataError(file.name() + ": " + std::to_string(file.size_bytes()) +
                    " bytes are too many for a file of this kind");
  }
  return parse_json_object(file.read(0, file.size_bytes()), file.name());
}

}  // namespace sono
