#pragma once
// log.jsonl: one JSON object a line, appended whole, for machines to read.

#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>

namespace sono {

class JsonLines {
 public:
  // An empty path makes every append a no-op (ranks other than 0).
  explicit JsonLines(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }

  // Adds "time" (seconds since 1970) and appends the line. Any thread.
  void append(nlohmann::json line);

 private:
  std::filesystem::path path_;
  std::mutex mutex_;
};

}  // namespace sono
