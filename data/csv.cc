#include "data/csv.h"

#include <charconv>

#include "core/error.h"

namespace sono {
namespace {

// Reads fields one after the other and keeps the row for messages.
class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& name)
      : text_(text), name_(name) {}

  bool at_end() const { return position_ >= text_.size(); }

  std::vector<std::string> read_row() {
    ++row_;
    std::vector<std::string> fields;
    do {
      fields.push_back(next_is('"') ? read_quoted() : read_plain());
    } while (take(','));
    take('\r');
    if (!take('\n') && !at_end()) fail("text after a closing quote");
    return fields;
  }

 private:
  bool next_is(char c) const { return !at_end() && text_[position_] == c; }

  bool take(char c) {
    if (!next_is(c)) return false;
    ++position_;
    return true;
  }

  std::string read_plain() {
    const std::size_t end =
        std::min(text_.find_first_of(",\r\n", position_), text_.size());
    std::string field(text_.substr(position_, end - position_));
    if (field.find('"') != field.npos) fail("a quote inside an unquoted field");
    position_ = end;
    return field;
  }

  std::string read_quoted() {
    std::string field;
    ++position_;
    while (true) {
      const std::size_t quote = text_.find('"', position_);
      if (quote == text_.npos) fail("a quote is opened and never closed");
      field += text_.substr(position_, quote - position_);
      position_ = quote + 1;
      if (!take('"')) return field;
      field += '"';
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(name_ + ": row " + std::to_string(row_) + ": " + what +
                    "; the file is damaged, make it again");
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t position_ = 0;
  int row_ = 0;
};

}  // namespace

std::string quote_csv(std::string_view field) {
  if (field.find_first_of(",\"\r\n") == field.npos) return std::string(field);
  std::string quoted = "\"";
  for (char c : field) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

std::vector<std::vector<std::string>> parse_csv(std::string_view text,
                                                const std::string& name) {
  CsvReader reader(text, name);
  std::vector<std::vector<std::string>> rows;
  while (!reader.at_end()) rows.push_back(reader.read_row());
  return rows;
}

std::string format_double(double value) {
  char text[32];
  const auto result = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, result.ptr);
}

}  // namespace sono
