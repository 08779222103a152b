#pragma once
// TensorBoard's event files: records of a length, its masked CRC-32C, the
// event (a protocol buffer) and its masked CRC-32C.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sono {

struct ScalarEvent {
  double time = 0;  // seconds since 1970
  std::int64_t step = 0;
  std::string tag;
  float value = 0;
};

// A whole event file; TensorBoard wants names that hold "tfevents".
std::string encode_events(std::span<const ScalarEvent> events);

// CRC-32C (Castagnoli) of the bytes.
std::uint32_t crc32c(std::string_view bytes);

// The scalars of a training step's line in log.jsonl; none for other lines.
std::vector<ScalarEvent> step_scalars(const nlohmann::json& line);

// The name of the one event file in a training's folder.
inline constexpr char kEventFile[] = "events.out.tfevents.0.sonoforge";

// An event file that grows while a training runs.
class EventFile {
 public:
  // Begins anew with the scalars of steps `before`.
  EventFile(std::filesystem::path path, std::span<const ScalarEvent> before);
  ~EventFile();  // writes what waits
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  // Written every two seconds at most. One thread.
  void add(std::span<const ScalarEvent> events);

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kPause = std::chrono::seconds(2);
  void flush();

  std::filesystem::path path_;
  std::string waiting_;
  Clock::time_point written_ = Clock::now();
};

}  // namespace sono
