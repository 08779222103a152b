#pragma once
// Numbers for Prometheus in a file, as node exporter's textfile collector reads
// them (it takes names that end in .prom). Nothing listens on a port.

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sono {

class MetricsFile {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  // `common` labels stand with every number. ConfigError when the name does not
  // end in .prom or nothing can be written there.
  MetricsFile(std::filesystem::path path, Labels common);
  ~MetricsFile();  // writes the last numbers
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;

  // One thread. Names are letters, digits and _; a counter's ends in _total.
  void set(const std::string& name, const std::string& help, double value,
           const Labels& labels = {});
  // A counter starts at 0 with the process and only rises.
  void count(const std::string& name, const std::string& help, double more,
             const Labels& labels = {});

  // Replaces the file by rename, every five seconds at most. A full disk is
  // passed over: the next write tries again.
  void write_if_due();

  // The exposition format, version 0.0.4.
  std::string text() const;

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kPause = std::chrono::seconds(5);
  struct Family {
    std::string type, help;
    std::map<std::string, double> values;  // by labels as text
  };
  double& value(const std::string& name, const std::string& type,
                const std::string& help, const Labels& labels);
  bool write() const;

  std::filesystem::path path_;
  Labels common_;
  std::map<std::string, Family> families_;
  Clock::time_point written_{};
};

}  // namespace sono
