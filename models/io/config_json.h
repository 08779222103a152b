#pragma once
// A strict reader of the config.json beside a model's weights (the format of
// diffusers and transformers: one flat JSON object).
//
// A setting that nobody looked at could change the network without a word, so
// every key must be read, pinned with `only`, or declared ignorable; `finish`
// refuses the others. All errors are DataErrors that name the file and the key.
// One thread at a time.

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sono {

// Inclusive. The default fits counts of channels, layers and tokens.
struct IntegerRange {
  std::int64_t min = 1;
  std::int64_t max = 1 << 20;
};

// Inclusive.
struct NumberRange {
  double min = 0;
  double max = 1e6;
};

class ConfigJson {
 public:
  // Reads the file; DataError when it is missing or no JSON object.
  explicit ConfigJson(const std::filesystem::path& path);
  // The same from memory; `source` stands for the file in messages.
  ConfigJson(std::string_view text, std::string source);

  // `_class_name` (diffusers) or an entry of `architectures` (transformers)
  // must be one of `names`; a file with neither passes. Gives the name found,
  // or the first of `names`.
  std::string expect_class(std::initializer_list<const char*> names) const;

  // Each getter: the value when the key is there, else `fallback`, else (none
  // given) an error. null is no value of these types and is refused.
  std::int64_t integer(const std::string& key, IntegerRange range = {},
                       std::optional<std::int64_t> fallback = {});
  double number(const std::string& key, NumberRange range = {},
                std::optional<double> fallback = {});
  bool boolean(const std::string& key, std::optional<bool> fallback = {});
  std::string text(const std::string& key,
                   std::optional<std::string> fallback = {});
  // One of `choices`.
  std::string choice(const std::string& key,
                     std::initializer_list<const char*> choices,
                     std::optional<std::string> fallback = {});
  std::vector<std::int64_t> integers(
      const std::string& key, IntegerRange range = {},
      std::optional<std::vector<std::int64_t>> fallback = {});
  std::vector<double> numbers(const std::string& key, NumberRange range = {},
                              std::optional<std::vector<double>> fallback = {});
  std::vector<bool> booleans(const std::string& key,
                             std::optional<std::vector<bool>> fallback = {});
  std::vector<std::string> texts(
      const std::string& key,
      std::optional<std::vector<std::string>> fallback = {});

  // A list of `count`, or one number (also as `fallback`) for all of them.
  std::vector<std::int64_t> integer_each(
      const std::string& key, std::size_t count, IntegerRange range = {},
      std::optional<std::int64_t> fallback = {});
  std::vector<bool> boolean_each(const std::string& key, std::size_t count,
                                 std::optional<bool> fallback = {});

  // For keys where null and absence mean "none".
  std::optional<std::int64_t> optional_integer(const std::string& key,
                                               IntegerRange range = {});
  std::optional<double> optional_number(const std::string& key,
                                        NumberRange range = {});
  std::optional<std::string> optional_text(const std::string& key);

  // There, and not null. Does not count as reading.
  bool has(const std::string& key) const;
  bool is_list(const std::string& key) const;

  // The key must be absent or equal `value`, the one that is implemented.
  // Whole and fractional spellings of a number are equal.
  void only(const std::string& key, const nlohmann::json& value);
  // Keys without influence on the result.
  void ignore(std::initializer_list<const char*> keys);
  // Refuses keys that were neither read, pinned nor ignored and are not null;
  // names all of them. Keys that begin with "_" are remarks.
  void finish() const;

  const std::string& source() const { return source_; }
  // DataError: "FILE: KEY WHY", for checks that need several fields.
  [[noreturn]] void refuse(const std::string& key,
                           const std::string& why) const;

 private:
  template <class T, class Convert>
  std::vector<T> each(const std::string& key,
                      std::optional<std::vector<T>> fallback,
                      const Convert& convert);
  // Marks the key as known; nullptr when absent.
  const nlohmann::json* find(const std::string& key);
  [[noreturn]] void missing(const std::string& key) const;
  std::int64_t to_integer(const std::string& key, const nlohmann::json& value,
                          IntegerRange range) const;
  double to_number(const std::string& key, const nlohmann::json& value,
                   NumberRange range) const;
  bool to_boolean(const std::string& key, const nlohmann::json& value) const;
  std::string to_text(const std::string& key,
                      const nlohmann::json& value) const;
  const nlohmann::json& list(const std::string& key,
                             const nlohmann::json& value) const;

  std::string source_;
  nlohmann::json json_;
  std::set<std::string> known_;
};

}  // namespace sono
