#pragma once
// Options as data: each component's plain config struct is described once, and
// from that come --help, the INI reader, the saved config and the result hash.
//
// A component offers `void describe(OptionTable&, XConfig&)`, beside its
// struct, which adds "section.key" entries bound to the struct's fields.

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace sono {

// What an option can change: the bytes of the result (hashed), only the speed,
// or only where things lie (neither is hashed). kAddedResult is a result option
// that came after results had been kept, with a default that means what was
// done before: at its default it is left out of hashes, so old keys stay valid.
enum class OptionKind { kResult, kSpeed, kPlace, kAddedResult };

struct Option {
  std::string name;  // "section.key"
  OptionKind kind;
  std::string help;  // meaning, unit, cost
  std::string default_text;
  std::function<void(const std::string&)> set;  // throws std::invalid_argument
  std::function<std::string()> get;
};

class OptionTable {
 public:
  // `field` must outlive the table; its present value is the default.
  // Types: bool, int, int64, uint64, double, string, and lists of int, double
  // or string (comma separated).
  template <class T>
  void add(const std::string& name, T* field, OptionKind kind,
           const std::string& help);

  // Options with names that the user chooses: any "section.NAME" that is not an
  // option of its own goes into `values`. The owner checks the names.
  void add_family(const std::string& section,
                  std::map<std::string, std::string>* values, OptionKind kind,
                  const std::string& help);

  // ConfigError: an unknown name (with the nearest known one) or a value of
  // the wrong type.
  void set(const std::string& name, const std::string& value);
  bool has(const std::string& name) const;

  const std::vector<Option>& options() const { return options_; }
  // {name: value text} of the result options in the named sections; all
  // sections when empty.
  nlohmann::json results(const std::vector<std::string>& sections = {}) const;
  // The whole table as an INI file, sections in order of description.
  std::string ini() const;
  // For --help: one entry an option with meaning, kind and default.
  std::string help() const;

 private:
  struct Family {
    std::string section;
    std::map<std::string, std::string>* values;
    OptionKind kind;
    std::string help;
  };
  void add_option(Option option);
  bool set_in_family(const std::string& name, const std::string& value);

  std::vector<Option> options_;
  std::vector<Family> families_;
};

// The candidate with the smallest edit distance to `name`.
std::string nearest_name(std::string_view name,
                         const std::vector<std::string>& candidates);

// Throws ConfigError "option NAME = VALUE is outside LOW..HIGH".
void check_range(std::string_view name, double value, double low, double high);
// Throws ConfigError naming the allowed values.
void check_choice(std::string_view name, std::string_view value,
                  const std::vector<std::string>& choices);

}  // namespace sono
