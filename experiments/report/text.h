#pragma once
// Numbers and words as people read them; independent of the locale.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

namespace sono {

// Fixed decimals; never "-0.0".
std::string fixed(double value, int decimals);
// The same with its sign, "+" also for zero.
std::string with_sign(double value, int decimals);

// The metric's mean, scaled and with `decimals`; "-" when the cell lacks it.
std::string show_mean(const nlohmann::json& cell, const char* metric,
                      double scale, int decimals);
// "[90.1, 92.4]"; "" when there is no interval.
std::string show_interval(const nlohmann::json& estimate, double scale,
                          int decimals);
// "1.2 mm" or, where the spacing is unknown, "7.3 px".
std::string show_hd95(const nlohmann::json& cell);
// Normalised surface Dice x 100, at the tolerance in mm where the spacing is
// known, else at that in px.
std::string show_nsd(const nlohmann::json& cell);

std::string plural(std::int64_t count, const std::string& noun);

// Replaces & < > " ' by entities.
std::string escape_html(std::string_view text);

std::string base64(std::span<const std::uint8_t> bytes);

}  // namespace sono
