#include "data/layouts/frame_choice.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <sstream>

#include "core/error.h"

namespace sono {
namespace {

std::vector<int> parse_numbers(const std::string& text,
                               const std::string& option) {
  std::vector<int> numbers;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    int number = 0;
    const char* end = part.data() + part.size();
    const auto [stop, error] = std::from_chars(part.data(), end, number);
    if (error != std::errc() || stop != end || number < 0) {
      throw ConfigError(option + " = " + text +
                        " is none of one, first, middle, all, annotated, nor "
                        "frame numbers from 0 (0,12)");
    }
    numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

}  // namespace

FrameChoice FrameChoice::parse(const std::string& text,
                               const std::string& option) {
  static const std::map<std::string, Rule> kRules = {
      {"", Rule::kOne},        {"one", Rule::kOne},
      {"first", Rule::kFirst}, {"middle", Rule::kMiddle},
      {"all", Rule::kAll},     {"annotated", Rule::kAnnotated}};
  FrameChoice choice;
  if (const auto rule = kRules.find(text); rule != kRules.end()) {
    choice.rule = rule->second;
    return choice;
  }
  choice.rule = Rule::kListed;
  choice.listed = parse_numbers(text, option);
  return choice;
}

std::vector<int> FrameChoice::frames(int count, const std::string& file) const {
  if (rule == Rule::kFirst) return {0};
  if (rule == Rule::kMiddle) return {count / 2};
  if (rule == Rule::kOne && count != 1) {
    throw DataError(file + ": " + std::to_string(count) +
                    " frames; choose with data.frames=first, middle, all, "
                    "annotated or numbers from 0, or in the column frames of "
                    "cohort.csv");
  }
  if (rule == Rule::kListed) {
    if (!listed.empty() && listed.back() < count) return listed;
    throw DataError(file + ": no frame " +
                    std::to_string(listed.empty() ? 0 : listed.back()) +
                    "; it has " + std::to_string(count) +
                    ", counted from 0; correct data.frames or cohort.csv");
  }
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace sono
