#include "core/option.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <type_traits>

#include "core/check.h"

namespace sono {
namespace {

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return std::string(
      text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

template <class T>
T parse(const std::string& text) {
  if constexpr (std::is_same_v<T, std::string>) {
    return text;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (text == "true" || text == "1" || text == "yes") return true;
    if (text == "false" || text == "0" || text == "no") return false;
    throw std::invalid_argument("true or false");
  } else if constexpr (IsVector<T>::value) {
    T list;
    std::istringstream stream(text);
    for (std::string item; std::getline(stream, item, ',');) {
      list.push_back(parse<typename T::value_type>(trimmed(item)));
    }
    return list;
  } else {
    T value{};
    const auto [end, code] =
        std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc() || end != text.data() + text.size()) {
      throw std::invalid_argument(std::is_floating_point_v<T> ? "a number"
                                                              : "an integer");
    }
    return value;
  }
}

template <class T>
std::string format(const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (IsVector<T>::value) {
    std::string text;
    for (std::size_t i = 0; i < value.size(); ++i) {
      text += (i ? "," : "") + format(value[i]);
    }
    return text;
  } else {
    char buffer[64];
    const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value);
    return std::string(buffer, result.ptr);
  }
}

std::string section_of(const std::string& name) {
  return name.substr(0, name.find('.'));
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1,
                         diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

const char* kind_name(OptionKind kind) {
  return kind == OptionKind::kSpeed   ? "speed"
         : kind == OptionKind::kPlace ? "place"
                                      : "result";
}

bool is_hashed(const Option& option) {
  if (option.kind == OptionKind::kAddedResult) {
    return option.get() != option.default_text;
  }
  return option.kind == OptionKind::kResult;
}

}  // namespace

template <class T>
void OptionTable::add(const std::string& name, T* field, OptionKind kind,
                      const std::string& help) {
  add_option({name, kind, help, format(*field),
              [field](const std::string& text) { *field = parse<T>(text); },
              [field] { return format(*field); }});
}

template void OptionTable::add(const std::string&, bool*, OptionKind,
                               const std::string&);
template void OptionTable::add(const std::string&, int*, OptionKind,
                               const std::string&);
template void OptionTable::add(const std::string&, std::int64_t*, OptionKind,
                               const std::string&);
template void OptionTable::add(const std::string&, std::uint64_t*, OptionKind,
                               const std::string&);
template void OptionTable::add(const std::string&, double*, OptionKind,
                               const std::string&);
template void OptionTable::add(const std::string&, std::string*, OptionKind,
                               const std::string&);
template void OptionTable::add(const std::string&, std::vector<int>*,
                               OptionKind, const std::string&);
template void OptionTable::add(const std::string&, std::vector<double>*,
                               OptionKind, const std::string&);
template void OptionTable::add(const std::string&, std::vector<std::string>*,
                               OptionKind, const std::string&);

void OptionTable::add_option(Option option) {
  SONO_CHECK(!has(option.name), "option " << option.name << " added twice");
  options_.push_back(std::move(option));
}

void OptionTable::add_family(const std::string& section,
                             std::map<std::string, std::string>* values,
                             OptionKind kind, const std::string& help) {
  families_.push_back({section, values, kind, help});
}

bool OptionTable::set_in_family(const std::string& name,
                                const std::string& value) {
  for (const Family& family : families_) {
    if (section_of(name) != family.section) continue;
    if (name.size() < family.section.size() + 2) continue;
    (*family.values)[name.substr(family.section.size() + 1)] = trimmed(value);
    return true;
  }
  return false;
}

bool OptionTable::has(const std::string& name) const {
  return std::any_of(options_.begin(), options_.end(),
                     [&](const Option& o) { return o.name == name; });
}

void OptionTable::set(const std::string& name, const std::string& value) {
  for (const Option& option : options_) {
    if (option.name != name) continue;
    try {
      option.set(trimmed(value));
    } catch (const std::invalid_argument& wanted) {
      throw ConfigError("option " + name + " = '" + value + "': expected " +
                        wanted.what());
    }
    return;
  }
  if (set_in_family(name, value)) return;
  std::vector<std::string> names;
  for (const Option& option : options_) names.push_back(option.name);
  throw ConfigError("unknown option '" + name +
                    "'; the nearest known one is '" +
                    nearest_name(name, names) + "'");
}

nlohmann::json OptionTable::results(
    const std::vector<std::string>& sections) const {
  nlohmann::json out = nlohmann::json::object();
  for (const Option& option : options_) {
    const bool wanted =
        sections.empty() ||
        std::count(sections.begin(), sections.end(), section_of(option.name));
    if (wanted && is_hashed(option)) out[option.name] = option.get();
  }
  for (const Family& family : families_) {
    if (family.kind != OptionKind::kResult) continue;
    if (!sections.empty() &&
        !std::count(sections.begin(), sections.end(), family.section)) {
      continue;
    }
    for (const auto& [name, value] : *family.values) {
      out[family.section + "." + name] = value;
    }
  }
  return out;
}

std::string OptionTable::ini() const {
  std::string text, section;
  const auto begin_section = [&](const std::string& own) {
    text += (section.empty() ? "[" : "\n[") + own + "]\n";
    section = own;
    for (const Family& family : families_) {
      if (family.section != own) continue;
      for (const auto& [name, value] : *family.values) {
        text += name + " = " + value + "\n";
      }
    }
  };
  for (const Option& option : options_) {
    const std::string own = section_of(option.name);
    if (own != section) begin_section(own);
    text += option.name.substr(own.size() + 1) + " = " + option.get() + "\n";
  }
  for (const Family& family : families_) {  // sections of families alone
    const bool written = std::any_of(
        options_.begin(), options_.end(),
        [&](const Option& o) { return section_of(o.name) == family.section; });
    if (!written && !family.values->empty()) begin_section(family.section);
  }
  return text;
}

std::string OptionTable::help() const {
  std::string text;
  for (const Option& option : options_) {
    text += "  " + option.name + " = " + option.default_text + "  (" +
            kind_name(option.kind) + ")\n      " + option.help + "\n";
  }
  for (const Family& family : families_) {
    text += "  " + family.section + ".NAME  (" + kind_name(family.kind) +
            ")\n      " + family.help + "\n";
  }
  return text;
}

std::string nearest_name(std::string_view name,
                         const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = ~std::size_t{0};
  for (const auto& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

void check_range(std::string_view name, double value, double low, double high) {
  if (value >= low && value <= high) return;  // false for NaN too
  std::ostringstream text;
  text << "option " << name << " = " << value << " is outside " << low << ".."
       << high;
  throw ConfigError(text.str());
}

void check_choice(std::string_view name, std::string_view value,
                  const std::vector<std::string>& choices) {
  if (std::count(choices.begin(), choices.end(), value)) return;
  std::string text = "option " + std::string(name) + " = '" +
                     std::string(value) + "' is not one of";
  for (const auto& choice : choices) text += " " + choice;
  throw ConfigError(text);
}

}  // namespace sono
