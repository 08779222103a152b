#pragma once
// Looks at the events of a trace as a viewer does.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace sono {

inline int count_slices(const nlohmann::json& events, const std::string& name) {
  return static_cast<int>(
      std::count_if(events.begin(), events.end(), [&](const auto& event) {
        return event.at("ph") == "X" && event.at("name") == name;
      }));
}

// Row of the first slice of that name; -1: none.
inline int row_of(const nlohmann::json& events, const std::string& name) {
  for (const auto& event : events) {
    if (event.at("ph") == "X" && event.at("name") == name) {
      return event.at("tid");
    }
  }
  return -1;
}

inline std::string row_name(const nlohmann::json& events, int row) {
  for (const auto& event : events) {
    if (event.at("name") == "thread_name" && event.at("tid") == row) {
      return event.at("args").at("name");
    }
  }
  return "";
}

// Do the slices of every row lie beside or inside one another?
inline bool are_nested(const nlohmann::json& events) {
  std::map<std::pair<int, int>, std::vector<std::pair<double, double>>> rows;
  for (const auto& event : events) {
    if (event.at("ph") != "X") continue;
    const double begin = event.at("ts"), length = event.at("dur");
    if (length < 0) return false;
    rows[{event.at("pid"), event.at("tid")}].emplace_back(begin,
                                                          begin + length);
  }
  constexpr double kRounding = 0.5;  // us, of doubles at today's date
  for (auto& [row, slices] : rows) {
    std::sort(slices.begin(), slices.end(), [](const auto& a, const auto& b) {
      return a.first < b.first || (a.first == b.first && a.second > b.second);
    });
    std::vector<double> ends;
    for (const auto& [begin, end] : slices) {
      while (!ends.empty() && ends.back() <= begin + kRounding) ends.pop_back();
      if (!ends.empty() && end > ends.back() + kRounding) return false;
      ends.push_back(end);
    }
  }
  return true;
}

inline void expect_nested(const nlohmann::json& events) {
  EXPECT_TRUE(are_nested(events)) << events.dump(1);
}

}  // namespace sono
