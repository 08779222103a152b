#pragma once
// One line of progress with rate and ETA: a live bar on a terminal, a plain
// line every few seconds otherwise. Rank 0 only; others pass enabled = false.

#include <chrono>
#include <cstdint>
#include <string>

namespace sono {

class Progress {
 public:
  Progress(std::string label, std::int64_t total, std::string unit,
           bool enabled = true);
  // Ends the line if `finish` was not called.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` of total; `note` stands at the end of the line ("loss 0.123").
  void update(std::int64_t done, const std::string& note = "");
  void finish(const std::string& note = "");

 private:
  using Clock = std::chrono::steady_clock;
  std::string line(std::int64_t done, const std::string& note) const;
  void print(const std::string& text, bool last);

  std::string label_;
  std::int64_t total_;
  std::string unit_;
  bool enabled_;
  bool terminal_;
  bool open_ = false;
  std::int64_t first_ = -1;
  std::int64_t done_ = 0;
  Clock::time_point start_ = Clock::now();
  Clock::time_point printed_{};
};

// A bar, `fraction` of it full, with `text` behind it; shorter than `columns`,
// since a line that wraps cannot be overwritten: first the bar gets smaller,
// then the end is cut.
std::string progress_bar(const std::string& label, double fraction,
                         const std::string& text, int columns);

// "42 s", "3 min 05 s", "2 h 10 min".
std::string duration_text(double seconds);

}  // namespace sono
