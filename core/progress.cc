#include "core/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/log.h"

namespace sono {

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  char text[48];
  if (whole < 60) {
    std::snprintf(text, sizeof(text), "%d s", static_cast<int>(whole));
  } else if (whole < 3600) {
    std::snprintf(text, sizeof(text), "%d min %02d s",
                  static_cast<int>(whole / 60), static_cast<int>(whole % 60));
  } else {
    std::snprintf(text, sizeof(text), "%d h %02d min",
                  static_cast<int>(whole / 3600),
                  static_cast<int>(whole / 60 % 60));
  }
  return text;
}

namespace {

// Of the terminal behind standard error.
int terminal_columns() {
  winsize size{};
  const bool known =
      ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

}  // namespace

std::string progress_bar(const std::string& label, double fraction,
                         const std::string& text, int columns) {
  const auto room = static_cast<std::size_t>(std::max(columns - 1, 1));
  constexpr std::size_t kLabel = 24;
  std::string line;
  for (const std::size_t bar : {20, 10, 5, 0}) {
    line = label;
    if (bar == 20 && line.size() < kLabel) line.resize(kLabel, ' ');
    if (bar > 0) {
      const auto filled = static_cast<std::size_t>(
          std::floor(std::clamp(fraction, 0.0, 1.0) * bar));
      line += " [" + std::string(filled, '#') + std::string(bar - filled, '.') +
              "]";
    }
    line += " " + text;
    if (line.size() <= room) return line;
  }
  return line.substr(0, room);
}

Progress::Progress(std::string label, std::int64_t total, std::string unit,
                   bool enabled)
    : label_(std::move(label)),
      total_(std::max<std::int64_t>(total, 1)),
      unit_(std::move(unit)),
      enabled_(enabled),
      terminal_(on_terminal()) {}

Progress::~Progress() {
  if (open_) std::fputc('\n', stderr);
}

std::string Progress::line(std::int64_t done, const std::string& note) const {
  const double seconds =
      std::chrono::duration<double>(Clock::now() - start_).count();
  const double rate =
      static_cast<double>(done - first_) / std::max(seconds, 1e-9);
  char text[160];
  std::snprintf(text, sizeof(text), "%3d%% %lld/%lld %s",
                static_cast<int>(100 * done / total_),
                static_cast<long long>(done), static_cast<long long>(total_),
                unit_.c_str());
  std::string out = text;
  if (done > first_) {
    std::snprintf(text, sizeof(text), "  %.3g %s/s", rate, unit_.c_str());
    out += text;
    if (done < total_) {
      out +=
          "  ETA " + duration_text(static_cast<double>(total_ - done) / rate);
    }
  }
  return note.empty() ? out : out + "  " + note;
}

void Progress::print(const std::string& text, bool last) {
  if (terminal_) {
    const double fraction =
        static_cast<double>(done_) / static_cast<double>(total_);
    std::fprintf(
        stderr, "\r\033[K%s",
        progress_bar(label_, fraction, text, terminal_columns()).c_str());
    open_ = !last;
    if (last) std::fputc('\n', stderr);
  } else {
    spdlog::info("{}: {}", label_, text);
  }
  std::fflush(stderr);
}

void Progress::update(std::int64_t done, const std::string& note) {
  done_ = done;
  if (first_ < 0) {
    // The first call only sets where this process started, after a resume.
    first_ = done;
    start_ = Clock::now();
  }
  if (!enabled_) return;
  const auto interval = std::chrono::milliseconds(terminal_ ? 200 : 10000);
  if (Clock::now() - printed_ < interval) return;
  printed_ = Clock::now();
  print(line(done, note), false);
}

void Progress::finish(const std::string& note) {
  done_ = total_;
  if (first_ < 0) first_ = 0;
  if (enabled_) print(line(total_, note), true);
  enabled_ = false;
}

}  // namespace sono
