#pragma once
// TensorBoard's event files: records of a length, its masked CRC-32C, the
// event (a protocol buffer) and its masked CRC-32C.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/report/cases.h"

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

// What log.jsonl and the cases have to show, by training ("tune
// concat-n5-s0"): loss, learning rate, gradient norm and samples a second at
// each step, and of tunings the mean Dice by test cohort and prompt at the last
// one. Lines that are no steps are passed over, and a last one cut
// off by a kill.
std::map<std::string, std::vector<ScalarEvent>> tensorboard_events(
    std::string_view log, std::span<const Case> cases);

}  // namespace sono
