#include "experiments/report/tensorboard.h"

#include <array>
#include <bit>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <utility>

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

// ---- What a run has to show ------------------------------------------------

using Events = std::map<std::string, std::vector<ScalarEvent>>;

void add_step(const nlohmann::json& line, Events& events) {
  if (line.value("event", "") != "step" || !line.contains("label")) return;
  auto& run = events[line["label"].get<std::string>()];
  for (const auto& [key, tag] :
       {std::pair("loss", "train/loss"), std::pair("lr", "train/learning_rate"),
        std::pair("norm", "train/gradient_norm"),
        std::pair("samples_per_s", "train/samples_per_second")}) {
    if (!line.contains(key) || !line[key].is_number()) continue;
    run.push_back({line.value("time", 0.0), line.value("step", std::int64_t{0}),
                   tag, line[key].get<float>()});
  }
}

// The mean over images and draws of each run that was tuned, beside its loss.
void add_dice(std::span<const Case> cases, Events& events) {
  struct Mean {
    double sum = 0;
    int count = 0;
    std::int64_t updates = 0;
  };
  std::set<std::string> train_cohorts;
  for (const Case& row : cases) {
    if (!row.train_cohort.empty()) train_cohorts.insert(row.train_cohort);
  }
  const auto cohort_part = [&](const Case& row) {
    return train_cohorts.size() > 1 ? "-" + row.train_cohort : std::string();
  };
  std::map<std::pair<std::string, std::string>, Mean> means;  // run, tag
  for (const Case& row : cases) {
    if (!row.dice || !row.n_real || !row.train_seed ||
        row.updates.value_or(0) == 0) {
      continue;
    }
    const std::string run = "tune " + row.arm + cohort_part(row) + "-n" +
                            std::to_string(*row.n_real) + "-s" +
                            std::to_string(*row.train_seed);
    Mean& mean = means[{run, "dice/" + row.cohort + "/" + row.prompt}];
    mean.sum += *row.dice;
    ++mean.count;
    mean.updates = *row.updates;
  }
  for (const auto& [key, mean] : means) {
    auto& run = events[key.first];
    run.push_back({run.empty() ? 0 : run.back().time, mean.updates, key.second,
                   static_cast<float>(mean.sum / mean.count)});
  }
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

Events tensorboard_events(std::string_view log, std::span<const Case> cases) {
  Events events;
  std::istringstream lines{std::string(log)};
  for (std::string text; std::getline(lines, text);) {
    const auto line = nlohmann::json::parse(text, nullptr, false);
    if (line.is_object()) add_step(line, events);
  }
  add_dice(cases, events);
  return events;
}

}  // namespace sono
