#include "core/event_file.h"

#include <array>
#include <bit>
#include <fstream>
#include <utility>

#include "core/atomic_file.h"

namespace sono {
namespace {

// ---- Protocol buffers, as far as a scalar event needs them ------------------

enum WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) {
    out += static_cast<char>(value | 0x80);
  }
  out += static_cast<char>(value);
}

template <class Word>
void put_little_endian(std::string& out, Word value) {
  for (std::size_t i = 0; i < sizeof(Word); ++i) {
    out += static_cast<char>(value >> (8 * i));
  }
}

void put_tag(std::string& out, int field, WireType type) {
  put_varint(out, static_cast<std::uint64_t>(field << 3 | type));
}

void put_bytes(std::string& out, int field, const std::string& bytes) {
  put_tag(out, field, kBytes);
  put_varint(out, bytes.size());
  out += bytes;
}

// Event: wall_time = 1, step = 2; zeros are left out.
std::string event_head(double time, std::int64_t step) {
  std::string event;
  if (time != 0) {
    put_tag(event, 1, kFixed64);
    put_little_endian(event, std::bit_cast<std::uint64_t>(time));
  }
  if (step != 0) {
    put_tag(event, 2, kVarint);
    put_varint(event, static_cast<std::uint64_t>(step));
  }
  return event;
}

// Event.summary = 5; Summary.value = 1; Value: tag = 1, simple_value = 2.
std::string scalar_event(const ScalarEvent& scalar) {
  std::string value, summary;
  put_bytes(value, 1, scalar.tag);
  put_tag(value, 2, kFixed32);
  put_little_endian(value, std::bit_cast<std::uint32_t>(scalar.value));
  put_bytes(summary, 1, value);
  std::string event = event_head(scalar.time, scalar.step);
  put_bytes(event, 5, summary);
  return event;
}

// ---- Records ---------------------------------------------------------------

std::array<std::uint32_t, 256> castagnoli_table() {
  constexpr std::uint32_t kPolynomial = 0x82f63b78;  // reflected
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) {
      crc = crc >> 1 ^ (crc & 1 ? kPolynomial : 0);
    }
    table[i] = crc;
  }
  return table;
}

// TensorFlow stores sums turned and shifted, so that a sum over data that holds
// sums stays sound.
std::uint32_t masked(std::uint32_t crc) {
  return std::rotr(crc, 15) + 0xa282ead8u;
}

void put_record(std::string& file, const std::string& event) {
  std::string length;
  put_little_endian(length, static_cast<std::uint64_t>(event.size()));
  file += length;
  put_little_endian(file, masked(crc32c(length)));
  file += event;
  put_little_endian(file, masked(crc32c(event)));
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static const auto kTable = castagnoli_table();
  std::uint32_t crc = ~0u;
  for (unsigned char byte : bytes) {
    crc = kTable[(crc ^ byte) & 255] ^ crc >> 8;
  }
  return ~crc;
}

std::string encode_events(std::span<const ScalarEvent> events) {
  std::string version = event_head(events.empty() ? 0 : events[0].time, 0);
  put_bytes(version, 3, "brain.Event:2");
  std::string file;
  put_record(file, version);
  for (const ScalarEvent& event : events) put_record(file, scalar_event(event));
  return file;
}

std::vector<ScalarEvent> step_scalars(const nlohmann::json& line) {
  std::vector<ScalarEvent> events;
  if (line.value("event", "") != "step" || !line.contains("label")) return {};
  const auto add = [&](const nlohmann::json& from, const std::string& key,
                       const std::string& tag) {
    const auto found = from.find(key);
    if (found == from.end() || !found->is_number()) return;
    events.push_back({line.value("time", 0.0),
                      line.value("step", std::int64_t{0}), tag,
                      found->get<float>()});
  };
  add(line, "loss", "train/loss");
  add(line, "lr", "train/learning_rate");
  add(line, "norm", "train/gradient_norm");
  add(line, "samples_per_s", "train/samples_per_second");
  const auto seconds = line.find("seconds");
  if (seconds == line.end() || !seconds->is_object()) return events;
  for (const auto& [phase, value] : seconds->items()) {
    add(*seconds, phase, "seconds/" + phase);
  }
  return events;
}

EventFile::EventFile(std::filesystem::path path,
                     std::span<const ScalarEvent> before)
    : path_(std::move(path)) {
  make_directories(path_.parent_path());
  write_file_atomic(path_, encode_events(before));
}

EventFile::~EventFile() { flush(); }

void EventFile::add(std::span<const ScalarEvent> events) {
  for (const ScalarEvent& event : events) {
    put_record(waiting_, scalar_event(event));
  }
  if (Clock::now() - written_ >= kPause) flush();
}

// What a full disk loses is written again, from log.jsonl, by the report.
void EventFile::flush() {
  std::ofstream(path_, std::ios::app | std::ios::binary)
      .write(waiting_.data(), std::ssize(waiting_));
  waiting_.clear();
  written_ = Clock::now();
}

}  // namespace sono
