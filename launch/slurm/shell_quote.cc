#include "launch/slurm/shell_quote.h"

#include <cctype>
#include <string_view>

#include "core/error.h"

namespace sono {
namespace {

// Means itself everywhere, to bash and to sbatch.
bool is_plain(char c) {
  constexpr std::string_view kMarks = "_-./:=,+@";
  return std::isalnum(static_cast<unsigned char>(c)) ||
         kMarks.find(c) != std::string_view::npos;
}

bool is_plain(const std::string& text) {
  for (const char c : text) {
    if (!is_plain(c)) return false;
  }
  return !text.empty();
}

}  // namespace

std::string shell_word(const std::string& name, const std::string& text) {
  if (text.find('\0') != std::string::npos) {
    throw ConfigError(name + ": holds a NUL byte; give it without");
  }
  if (is_plain(text)) return text;
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'') {
      word += "'\\''";
    } else {
      word += c;
    }
  }
  return word + "'";
}

std::string shell_array(const std::string& name,
                        const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : " ") + shell_word(name, word);
  }
  return "(" + text + ")";
}

std::string sbatch_value(const std::string& name, const std::string& text) {
  std::string value;
  for (const char c : text) {
    if (std::iscntrl(static_cast<unsigned char>(c))) {
      throw ConfigError(name +
                        ": holds a line break or another control character, "
                        "which no #SBATCH line can hold; give it without");
    }
    // The latter two only so that a careless copy into a shell is harmless.
    if (std::string_view("\"\\$`").find(c) != std::string_view::npos) {
      value += '\\';
    }
    value += c;
  }
  return is_plain(text) ? text : '"' + value + '"';
}

std::string sbatch_file(const std::string& name, const std::string& path,
                        const std::string& pattern) {
  std::string text;
  for (const char c : path) {
    if (c == '\\') {
      throw ConfigError(name + " = " + path +
                        ": holds a backslash, which sbatch does not take in "
                        "the name of a job's output; choose another");
    }
    text += c;
    if (c == '%') text += '%';
  }
  // Behind the quotes, since a pattern is none of the text.
  return sbatch_value(name, text) + pattern;
}

}  // namespace sono
