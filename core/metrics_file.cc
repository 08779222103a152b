#include "core/metrics_file.h"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <utility>

#include "core/atomic_file.h"
#include "core/check.h"
#include "core/error.h"

namespace sono {
namespace {

// Backslash and line feed as the format wants them; in label values quotes too.
std::string escaped(const std::string& text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
  return out;
}

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char text[32];
  std::snprintf(text, sizeof(text), "%.17g", value);
  return text;
}

}  // namespace

MetricsFile::MetricsFile(std::filesystem::path path, Labels common)
    : path_(std::move(path)), common_(std::move(common)) {
  if (path_.extension() != ".prom") {
    throw ConfigError("option place.metrics_file = " + path_.string() +
                      ": the name must end in .prom, or node exporter passes "
                      "it over");
  }
  if (path_.has_parent_path()) make_directories(path_.parent_path());
  if (write()) return;
  throw ConfigError("option place.metrics_file = " + path_.string() +
                    ": cannot be written; name a file in a folder that you "
                    "may write to");
}

MetricsFile::~MetricsFile() { write(); }

double& MetricsFile::value(const std::string& name, const std::string& type,
                           const std::string& help, const Labels& labels) {
  std::string text;
  for (const Labels* part : {&std::as_const(common_), &labels}) {
    for (const auto& [label, content] : *part) {
      text += (text.empty() ? "{" : ",") + label + "=\"" +
              escaped(content, true) + "\"";
    }
  }
  if (!text.empty()) text += "}";
  Family& family = families_[name];
  family.type = type;
  family.help = help;
  return family.values[text];
}

void MetricsFile::set(const std::string& name, const std::string& help,
                      double number, const Labels& labels) {
  value(name, "gauge", help, labels) = number;
}

void MetricsFile::count(const std::string& name, const std::string& help,
                        double more, const Labels& labels) {
  SONO_CHECK(name.ends_with("_total"), "counter " << name);
  if (more > 0) value(name, "counter", help, labels) += more;
}

void MetricsFile::write_if_due() {
  const auto now = Clock::now();
  if (now - written_ < kPause) return;
  written_ = now;
  write();
}

std::string MetricsFile::text() const {
  std::string text;
  for (const auto& [name, family] : families_) {
    text += "# HELP " + name + " " + escaped(family.help, false) + "\n# TYPE " +
            name + " " + family.type + "\n";
    for (const auto& [labels, number] : family.values) {
      text += name + labels + " " + number_text(number) + "\n";
    }
  }
  return text;
}

// Without fsync: after a crash of the host the numbers are stale anyway.
bool MetricsFile::write() const {
  const auto temporary = temporary_name(path_);
  std::error_code error;
  {
    std::ofstream file(temporary, std::ios::binary);
    file << text() << std::flush;
    if (!file) error = std::make_error_code(std::errc::io_error);
  }
  if (!error) std::filesystem::rename(temporary, path_, error);
  if (!error) return true;
  std::error_code ignored;
  std::filesystem::remove(temporary, ignored);
  return false;
}

}  // namespace sono
