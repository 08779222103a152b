#include "launch/options/command_line.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cstdio>
#include <map>
#include <type_traits>

#include "core/error.h"
#include "launch/options/ini_file.h"

namespace po = boost::program_options;

namespace sono {
namespace {

po::parsed_options split(const std::vector<std::string>& args,
                         const po::options_description& known) {
  // No abbreviations and no one-letter flags: each thing has one spelling.
  constexpr int kStyle = po::command_line_style::allow_long |
                         po::command_line_style::long_allow_adjacent |
                         po::command_line_style::long_allow_next;
  try {
    return po::command_line_parser(args)
        .options(known)
        .style(kStyle)
        .allow_unregistered()
        .run();
  } catch (const po::error& error) {
    throw ConfigError(error.what());
  }
}

bool asks_for_help(const std::vector<std::string>& args) {
  return std::any_of(args.begin(), args.end(), [](const std::string& arg) {
    return arg == "--help" || arg == "-h";
  });
}

std::string joined(const std::vector<std::string>& values) {
  std::string text;
  for (const auto& value : values) text += (text.empty() ? "" : ",") + value;
  return text;
}

// "  left", padded, then "help"; on a line of its own when left is long.
std::string help_entry(const std::string& left, const std::string& help) {
  constexpr std::size_t kColumn = 24;
  std::string line = "  " + left;
  if (line.size() + 2 > kColumn) {
    line += "\n" + std::string(kColumn, ' ');
  } else {
    line.resize(kColumn, ' ');
  }
  return line + help + "\n";
}

}  // namespace

CommandLine::CommandLine(std::string usage, std::string about)
    : usage_(std::move(usage)), about_(std::move(about)) {
  flag("set", &settings_, "SECTION.KEY=VALUE",
       "change a config option; may be given many times");
}

void CommandLine::argument(const std::string& name, std::string* field,
                           const std::string& help) {
  arguments_.push_back({name, help, field, true});
}

void CommandLine::optional_argument(const std::string& name, std::string* field,
                                    const std::string& help) {
  arguments_.push_back({name, help, field, false});
}

template <class T>
void CommandLine::flag(const std::string& name, T* field,
                       const std::string& value_name, const std::string& help) {
  constexpr bool kList = std::is_same_v<T, std::vector<int>> ||
                         std::is_same_v<T, std::vector<double>> ||
                         std::is_same_v<T, std::vector<std::string>>;
  flag_values_.add("--" + name, field, OptionKind::kPlace, help);
  flags_.push_back({name, value_name, std::is_same_v<T, bool>, kList, false});
}

using Text = const std::string&;
template void CommandLine::flag(Text, bool*, Text, Text);
template void CommandLine::flag(Text, int*, Text, Text);
template void CommandLine::flag(Text, std::int64_t*, Text, Text);
template void CommandLine::flag(Text, std::uint64_t*, Text, Text);
template void CommandLine::flag(Text, double*, Text, Text);
template void CommandLine::flag(Text, std::string*, Text, Text);
template void CommandLine::flag(Text, std::vector<int>*, Text, Text);
template void CommandLine::flag(Text, std::vector<double>*, Text, Text);
template void CommandLine::flag(Text, std::vector<std::string>*, Text, Text);

bool CommandLine::parse(const std::vector<std::string>& args) {
  if (asks_for_help(args)) {
    std::fputs(help().c_str(), stdout);
    return false;
  }
  po::options_description known;
  for (const Flag& flag : flags_) {
    if (!is_offered(flag)) continue;
    if (flag.is_switch) {
      known.add_options()(flag.name.c_str(), new po::untyped_value(true));
    } else {
      known.add_options()(flag.name.c_str(), po::value<std::string>());
    }
  }
  std::map<std::string, std::vector<std::string>> values;
  for (const auto& option : split(args, known).options) {
    if (option.unregistered) refuse_flag(option.original_tokens.at(0));
    auto& list = values[option.string_key];
    list.push_back(option.value.empty() ? "true" : option.value[0]);
  }
  set_arguments(values[""]);
  values.erase("");
  for (const auto& [name, list] : values) set_flag(name, list);
  return true;
}

// A command without config options has no use for --set.
bool CommandLine::is_offered(const Flag& flag) const {
  return flag.name != "set" || !config_.options().empty();
}

bool CommandLine::given(const std::string& name) const {
  return std::any_of(flags_.begin(), flags_.end(), [&](const Flag& flag) {
    return flag.name == name && flag.given;
  });
}

void CommandLine::load_config(const std::string& ini_file) {
  if (!ini_file.empty()) load_ini(ini_file, config_);
  for (const std::string& setting : settings_) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos) {
      throw ConfigError("--set " + setting + ": expected section.key=value");
    }
    config_.set(setting.substr(0, equals), setting.substr(equals + 1));
  }
}

std::string CommandLine::help() const {
  std::string text = "usage: sonoforge " + usage_ + "\n\n" + about_ + "\n\n";
  for (const Argument& argument : arguments_) {
    text += help_entry(argument.name, argument.help);
  }
  const auto& values = flag_values_.options();
  for (std::size_t i = 0; i < flags_.size(); ++i) {
    if (!is_offered(flags_[i])) continue;
    const std::string& value = values[i].default_text;
    const bool plain = flags_[i].is_switch || value.empty();
    text +=
        help_entry(values[i].name + (flags_[i].is_switch ? "" : " ") +
                       flags_[i].value_name,
                   values[i].help + (plain ? "" : " (default " + value + ")"));
  }
  if (config_.options().empty()) return text;
  return text +
         "\nConfig options, with their defaults. \"result\" ones change the "
         "bytes of the\nresult, \"speed\" ones only how fast it comes, "
         "\"place\" ones only where things lie.\n" +
         config_.help();
}

void CommandLine::set_arguments(const std::vector<std::string>& values) {
  for (const std::string& value : values) {
    if (value.size() > 1 && value[0] == '-') refuse_flag(value);
  }
  if (values.size() < arguments_.size() && arguments_[values.size()].required) {
    throw ConfigError(arguments_[values.size()].name +
                      " is missing; usage: " + "sonoforge " + usage_);
  }
  if (values.size() > arguments_.size()) {
    throw ConfigError("'" + values[arguments_.size()] +
                      "' is one argument too many; usage: sonoforge " + usage_);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    *arguments_[i].field = values[i];
  }
}

void CommandLine::set_flag(const std::string& name,
                           const std::vector<std::string>& values) {
  auto flag = std::find_if(flags_.begin(), flags_.end(),
                           [&](const Flag& f) { return f.name == name; });
  flag->given = true;
  if (name == "set") {  // values may hold commas
    settings_ = values;
  } else if (flag->is_list || values.size() == 1) {
    flag_values_.set("--" + name, joined(values));
  } else {
    throw ConfigError("--" + name + " is given " +
                      std::to_string(values.size()) + " times");
  }
}

void CommandLine::refuse_flag(const std::string& text) const {
  const std::string name = text.substr(0, text.find('='));
  std::vector<std::string> names = {"--help"};
  for (const Flag& flag : flags_) {
    if (is_offered(flag)) names.push_back("--" + flag.name);
  }
  throw ConfigError("unknown option '" + name + "'; the nearest one is '" +
                    nearest_name(name, names) + "' (usage: sonoforge " +
                    usage_ + ")");
}

}  // namespace sono
