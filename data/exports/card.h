#pragma once
// A data set's card: README.md with the front matter that Hugging Face reads,
// for people who are given the images.

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/option.h"

namespace sono {

// What only the maker knows.
struct CardConfig {
  std::string title;
  std::string license;  // identifier; empty: the card says that none is stated
  std::string license_link;
  std::string creator;
  std::string source;
  std::string intended_use;
  std::string citation;
};

void describe(OptionTable& table, CardConfig& config);

// What the files know of one source.
struct CardSource {
  std::string name;
  std::string kind;         // "synthetic pairs", "cohort, layout hc18"
  std::int64_t images = 0;  // that were taken
  std::int64_t made = 0;    // synthetic ones before the gate
  std::map<std::string, std::int64_t> rejected;  // by reason
  std::vector<std::pair<std::string, std::string>> hashes;
};

struct CardFacts {
  std::vector<CardSource> sources;
  std::int64_t train = 0, test = 0, masks = 0, synthetic = 0;
  std::string format;
  std::string version;     // of this program
  nlohmann::json quality;  // what `sonoforge quality` wrote; null: none
};

std::string dataset_card(const CardConfig& config, const CardFacts& facts);

}  // namespace sono
