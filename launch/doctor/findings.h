#pragma once
// What doctor found: one line each, marked so that what needs a hand stands
// out, with the remedy below.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace sono {

enum class Mark { kFine, kNote, kWarning, kFailure };

struct Finding {
  Mark mark = Mark::kFine;
  std::string topic;  // "devices", "network", ...
  std::string text;
  std::string remedy;  // of warnings and failures
  int exit_code = 0;   // of a failure; see core/error.h
};

class Findings {
 public:
  void fine(const std::string& topic, const std::string& text);
  // Worth knowing, nothing to do.
  void note(const std::string& topic, const std::string& text);
  void warn(const std::string& topic, const std::string& text,
            const std::string& remedy);
  void fail(const std::string& topic, const std::string& text,
            const std::string& remedy, int exit_code);

  const std::vector<Finding>& all() const { return all_; }
  // 0 without failures; else a failed peer or device (4) first, then a full
  // disk (6), wrong data (3), a wrong command or config (2).
  int exit_code() const;
  nlohmann::json json() const;

 private:
  std::vector<Finding> all_;
};

// As people read it; `color` for a terminal.
std::string finding_text(const Finding& finding, bool color);

// "all fine", or how many warnings and failures there are.
std::string summary_text(const Findings& findings);

}  // namespace sono
