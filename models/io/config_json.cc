#include "models/io/config_json.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "models/io/json_file.h"

namespace sono {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kMaxBytes = 1 << 20;
constexpr std::size_t kMaxListLength = 4096;
constexpr std::size_t kMaxShownChars = 60;

std::string shown(const Json& value) {
  const std::string text = value.dump();
  return text.size() <= kMaxShownChars ? text
                                       : text.substr(0, kMaxShownChars) + "...";
}

// 8 -> "8", 0.5 -> "0.5"
std::string shown(double value) { return Json(value).dump(); }

std::string one_of(std::initializer_list<const char*> names) {
  std::string all;
  for (const char* name : names) {
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  return all;
}

bool contains(std::initializer_list<const char*> names,
              const std::string& name) {
  return std::any_of(names.begin(), names.end(),
                     [&](const char* known) { return name == known; });
}

}  // namespace

ConfigJson::ConfigJson(const std::filesystem::path& path)
    : source_(path.string()), json_(read_json_object(path, kMaxBytes)) {}

ConfigJson::ConfigJson(std::string_view text, std::string source)
    : source_(std::move(source)), json_(parse_json_object(text, source_)) {}

std::string ConfigJson::expect_class(
    std::initializer_list<const char*> names) const {
  std::vector<std::string> found;
  if (has("_class_name")) {
    found.push_back(to_text("_class_name", json_.at("_class_name")));
  } else if (has("architectures")) {
    for (const Json& name : list("architectures", json_.at("architectures"))) {
      found.push_back(to_text("architectures", name));
    }
  }
  for (const std::string& name : found) {
    if (contains(names, name)) return name;
  }
  if (found.empty()) return *names.begin();
  throw DataError(source_ + ": describes a " + found[0] + "; wanted " +
                  one_of(names));
}

std::int64_t ConfigJson::integer(const std::string& key, IntegerRange range,
                                 std::optional<std::int64_t> fallback) {
  if (const Json* value = find(key)) return to_integer(key, *value, range);
  return fallback ? *fallback : (missing(key), 0);
}

double ConfigJson::number(const std::string& key, NumberRange range,
                          std::optional<double> fallback) {
  if (const Json* value = find(key)) return to_number(key, *value, range);
  return fallback ? *fallback : (missing(key), 0);
}

bool ConfigJson::boolean(const std::string& key, std::optional<bool> fallback) {
  if (const Json* value = find(key)) return to_boolean(key, *value);
  return fallback ? *fallback : (missing(key), false);
}

std::string ConfigJson::text(const std::string& key,
                             std::optional<std::string> fallback) {
  if (const Json* value = find(key)) return to_text(key, *value);
  if (!fallback) missing(key);
  return *fallback;
}

std::string ConfigJson::choice(const std::string& key,
                               std::initializer_list<const char*> choices,
                               std::optional<std::string> fallback) {
  const std::string value = text(key, std::move(fallback));
  if (!contains(choices, value)) {
    refuse(key, "is \"" + value +
                    "\", which is not implemented; known: " + one_of(choices));
  }
  return value;
}

template <class T, class Convert>
std::vector<T> ConfigJson::each(const std::string& key,
                                std::optional<std::vector<T>> fallback,
                                const Convert& convert) {
  const Json* value = find(key);
  if (!value && !fallback) missing(key);
  if (!value) return *fallback;
  std::vector<T> all;
  for (const Json& item : list(key, *value)) all.push_back(convert(item));
  return all;
}

std::vector<std::int64_t> ConfigJson::integers(
    const std::string& key, IntegerRange range,
    std::optional<std::vector<std::int64_t>> fallback) {
  return each(key, std::move(fallback),
              [&](const Json& v) { return to_integer(key, v, range); });
}

std::vector<double> ConfigJson::numbers(
    const std::string& key, NumberRange range,
    std::optional<std::vector<double>> fallback) {
  return each(key, std::move(fallback),
              [&](const Json& v) { return to_number(key, v, range); });
}

std::vector<bool> ConfigJson::booleans(
    const std::string& key, std::optional<std::vector<bool>> fallback) {
  return each(key, std::move(fallback),
              [&](const Json& v) { return to_boolean(key, v); });
}

std::vector<std::string> ConfigJson::texts(
    const std::string& key, std::optional<std::vector<std::string>> fallback) {
  return each(key, std::move(fallback),
              [&](const Json& v) { return to_text(key, v); });
}

std::vector<std::int64_t> ConfigJson::integer_each(
    const std::string& key, std::size_t count, IntegerRange range,
    std::optional<std::int64_t> fallback) {
  if (!is_list(key)) {
    return std::vector<std::int64_t>(count, integer(key, range, fallback));
  }
  auto all = integers(key, range);
  if (all.size() != count) {
    refuse(key, "has " + std::to_string(all.size()) + " entries; wanted " +
                    std::to_string(count));
  }
  return all;
}

std::vector<bool> ConfigJson::boolean_each(const std::string& key,
                                           std::size_t count,
                                           std::optional<bool> fallback) {
  if (!is_list(key)) return std::vector<bool>(count, boolean(key, fallback));
  auto all = booleans(key);
  if (all.size() != count) {
    refuse(key, "has " + std::to_string(all.size()) + " entries; wanted " +
                    std::to_string(count));
  }
  return all;
}

std::optional<std::int64_t> ConfigJson::optional_integer(const std::string& key,
                                                         IntegerRange range) {
  const Json* value = find(key);
  if (!value || value->is_null()) return {};
  return to_integer(key, *value, range);
}

std::optional<double> ConfigJson::optional_number(const std::string& key,
                                                  NumberRange range) {
  const Json* value = find(key);
  if (!value || value->is_null()) return {};
  return to_number(key, *value, range);
}

std::optional<std::string> ConfigJson::optional_text(const std::string& key) {
  const Json* value = find(key);
  if (!value || value->is_null()) return {};
  return to_text(key, *value);
}

bool ConfigJson::has(const std::string& key) const {
  const auto found = json_.find(key);
  return found != json_.end() && !found->is_null();
}

bool ConfigJson::is_list(const std::string& key) const {
  return has(key) && json_.at(key).is_array();
}

bool ConfigJson::is_null(const std::string& key) {
  const Json* value = find(key);
  return value != nullptr && value->is_null();
}

void ConfigJson::only(const std::string& key, const Json& value) {
  const Json* found = find(key);
  if (!found || *found == value) return;
  refuse(key,
         "is " + shown(*found) + "; only " + shown(value) + " is implemented");
}

void ConfigJson::ignore(std::initializer_list<const char*> keys) {
  for (const char* key : keys) known_.insert(key);
}

void ConfigJson::finish() const {
  std::string all;
  for (const auto& [key, value] : json_.items()) {
    if (value.is_null() || known_.count(key) || key.rfind('_', 0) == 0) {
      continue;
    }
    all += "\n    " + key + ": " + shown(value);
  }
  if (all.empty()) return;
  throw DataError(source_ + ": settings that are not implemented:" + all +
                  "\n  remove those that are without effect in this model");
}

void ConfigJson::refuse(const std::string& key, const std::string& why) const {
  throw DataError(source_ + ": " + key + " " + why);
}

const Json* ConfigJson::find(const std::string& key) {
  known_.insert(key);
  const auto found = json_.find(key);
  return found == json_.end() ? nullptr : &*found;
}

void ConfigJson::missing(const std::string& key) const {
  refuse(key, "is missing; take the config.json that came with the weights");
}

std::int64_t ConfigJson::to_integer(const std::string& key, const Json& value,
                                    IntegerRange range) const {
  const auto outside = [&] {
    refuse(key, "is " + shown(value) + "; wanted " + std::to_string(range.min) +
                    " to " + std::to_string(range.max));
  };
  if (!value.is_number_integer()) {
    refuse(key, "is " + shown(value) + "; wanted a whole number");
  }
  // Beyond 2^63 a conversion would wrap around.
  if (value.is_number_unsigned() && value.get<std::uint64_t>() >> 63) outside();
  const auto whole = value.get<std::int64_t>();
  if (whole < range.min || whole > range.max) outside();
  return whole;
}

double ConfigJson::to_number(const std::string& key, const Json& value,
                             NumberRange range) const {
  if (!value.is_number()) {
    refuse(key, "is " + shown(value) + "; wanted a number");
  }
  const auto real = value.get<double>();
  if (!(real >= range.min && real <= range.max)) {
    refuse(key, "is " + shown(value) + "; wanted " + shown(range.min) + " to " +
                    shown(range.max));
  }
  return real;
}

bool ConfigJson::to_boolean(const std::string& key, const Json& value) const {
  if (!value.is_boolean()) {
    refuse(key, "is " + shown(value) + "; wanted true or false");
  }
  return value.get<bool>();
}

std::string ConfigJson::to_text(const std::string& key,
                                const Json& value) const {
  if (!value.is_string()) {
    refuse(key, "is " + shown(value) + "; wanted a text");
  }
  return value.get<std::string>();
}

const Json& ConfigJson::list(const std::string& key, const Json& value) const {
  if (!value.is_array()) refuse(key, "is " + shown(value) + "; wanted a list");
  if (value.size() > kMaxListLength) {
    refuse(key, "is a list of " + std::to_string(value.size()) + " entries");
  }
  return value;
}

}  // namespace sono
