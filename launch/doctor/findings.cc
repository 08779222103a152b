#include "launch/doctor/findings.h"

#include <algorithm>
#include <array>

namespace sono {
namespace {

struct Style {
  const char* name;   // in the JSON file
  const char* label;  // of one width
  const char* color;
};

const Style& style_of(Mark mark) {
  static constexpr std::array<Style, 4> kStyles = {{
      {"fine", "  ok     ", "\033[32m"},
      {"note", "  note   ", ""},
      {"warning", "! WARNING", "\033[1;33m"},
      {"failure", "X FAILED ", "\033[1;31m"},
  }};
  return kStyles[static_cast<std::size_t>(mark)];
}

std::string plural(std::ptrdiff_t count, const std::string& word) {
  return std::to_string(count) + " " + word + (count == 1 ? "" : "s");
}

}  // namespace

void Findings::fine(const std::string& topic, const std::string& text) {
  all_.push_back({Mark::kFine, topic, text, "", 0});
}
void Findings::note(const std::string& topic, const std::string& text) {
  all_.push_back({Mark::kNote, topic, text, "", 0});
}
void Findings::warn(const std::string& topic, const std::string& text,
                    const std::string& remedy) {
  all_.push_back({Mark::kWarning, topic, text, remedy, 0});
}
void Findings::fail(const std::string& topic, const std::string& text,
                    const std::string& remedy, int exit_code) {
  all_.push_back({Mark::kFailure, topic, text, remedy, exit_code});
}

int Findings::exit_code() const {
  for (const int code : {4, 6, 3, 2}) {
    if (std::any_of(all_.begin(), all_.end(),
                    [&](const Finding& f) { return f.exit_code == code; })) {
      return code;
    }
  }
  return 0;
}

nlohmann::json Findings::json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const Finding& finding : all_) {
    nlohmann::json entry = {{"mark", style_of(finding.mark).name},
                            {"topic", finding.topic},
                            {"text", finding.text}};
    if (!finding.remedy.empty()) entry["remedy"] = finding.remedy;
    if (finding.exit_code != 0) entry["exit_code"] = finding.exit_code;
    list.push_back(std::move(entry));
  }
  return list;
}

std::string finding_text(const Finding& finding, bool color) {
  const Style& style = style_of(finding.mark);
  const bool paint = color && *style.color != 0;
  std::string text = std::string(paint ? style.color : "") + style.label +
                     (paint ? "\033[0m" : "") + " " + finding.topic + ": " +
                     finding.text + "\n";
  if (!finding.remedy.empty()) {
    text += "            remedy: " + finding.remedy + "\n";
  }
  return text;
}

std::string summary_text(const Findings& findings) {
  const auto count = [&](Mark mark) {
    return std::count_if(findings.all().begin(), findings.all().end(),
                         [&](const Finding& f) { return f.mark == mark; });
  };
  const auto failures = count(Mark::kFailure);
  const auto warnings = count(Mark::kWarning);
  if (failures == 0 && warnings == 0) return "all fine";
  if (failures == 0) return plural(warnings, "warning") + ", no failure";
  return plural(failures, "FAILURE") + ", " + plural(warnings, "warning") +
         ": exit code " + std::to_string(findings.exit_code());
}

}  // namespace sono
