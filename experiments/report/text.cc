#include "experiments/report/text.h"

#include <charconv>

namespace sono {

std::string fixed(double value, int decimals) {
  char text[400];
  const auto result = std::to_chars(text, text + sizeof(text), value,
                                    std::chars_format::fixed, decimals);
  const std::string shown(text, result.ptr);
  const bool is_zero = shown.find_first_not_of("-0.") == std::string::npos;
  return is_zero && shown[0] == '-' ? shown.substr(1) : shown;
}

std::string with_sign(double value, int decimals) {
  const std::string shown = fixed(value, decimals);
  return shown[0] == '-' ? shown : "+" + shown;
}

std::string show_mean(const nlohmann::json& cell, const char* metric,
                      double scale, int decimals) {
  if (!cell["metrics"].contains(metric)) return "-";
  return fixed(cell["metrics"][metric]["mean"].get<double>() * scale, decimals);
}

std::string show_interval(const nlohmann::json& estimate, double scale,
                          int decimals) {
  const auto& interval = estimate["interval"];
  if (interval.is_null()) return "";
  return "[" + fixed(interval["low"].get<double>() * scale, decimals) + ", " +
         fixed(interval["high"].get<double>() * scale, decimals) + "]";
}

std::string show_hd95(const nlohmann::json& cell) {
  if (cell["metrics"].contains("hd95_mm")) {
    return show_mean(cell, "hd95_mm", 1, 1) + " mm";
  }
  if (cell["metrics"].contains("hd95_px")) {
    return show_mean(cell, "hd95_px", 1, 1) + " px";
  }
  return "-";
}

std::string show_nsd(const nlohmann::json& cell) {
  const bool has_mm = cell["metrics"].contains("nsd_mm");
  return show_mean(cell, has_mm ? "nsd_mm" : "nsd_px", 100, 1);
}

std::string plural(std::int64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string base64(std::span<const std::uint8_t> bytes) {
  constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    const std::uint32_t word = bytes[i] << 16 |
                               (left > 1 ? bytes[i + 1] << 8 : 0) |
                               (left > 2 ? bytes[i + 2] : 0);
    text += kDigits[word >> 18];
    text += kDigits[word >> 12 & 63];
    text += left > 1 ? kDigits[word >> 6 & 63] : '=';
    text += left > 2 ? kDigits[word & 63] : '=';
  }
  return text;
}

}  // namespace sono
