#pragma once
// One subcommand's command line: named flags, arguments in order, and the
// config's "section.key" options, which come from an INI file and from repeated
// `--set section.key=value`; the command line wins.
//
//   CommandLine line("phantom --out DIR", "Writes a labelled cohort ...");
//   line.flag("out", &out, "DIR", "folder to write");
//   describe(line.config(), config);
//   if (!line.parse(args)) return 0;  // --help was printed
//   line.load_config();
//
// Everything wrong is a ConfigError that names the flag, option or file line.

#include <string>
#include <utility>
#include <vector>

#include "core/option.h"

namespace sono {

class CommandLine {
 public:
  // `usage` without the program's name; `about` is the help's first paragraph.
  CommandLine(std::string usage, std::string about);

  // A required argument without a name; they are taken in order of adding.
  void argument(const std::string& name, std::string* field,
                const std::string& help);
  // One that may be left away; they come after those that may not.
  void optional_argument(const std::string& name, std::string* field,
                         const std::string& help);

  // --name VALUE or --name=VALUE; `value_name` stands for it in the help.
  // A list field takes the flag several times. A bool field is a switch.
  template <class T>
  void flag(const std::string& name, T* field, const std::string& value_name,
            const std::string& help);

  // The options that `--set` and the INI file may set; describe into it.
  OptionTable& config() { return config_; }

  // Sets arguments and flags. False when --help was asked for and printed.
  bool parse(const std::vector<std::string>& args);
  // Was this flag given? After parse.
  bool given(const std::string& name) const;

  // Sets the config: the INI file (none when empty), then each --set in order.
  // After parse.
  void load_config(const std::string& ini_file = "");

  std::string help() const;

 private:
  struct Argument {
    std::string name, help;
    std::string* field;
    bool required;
  };
  struct Flag {
    std::string name, value_name;
    bool is_switch, is_list, given;
  };
  bool is_offered(const Flag& flag) const;
  void set_flag(const std::string& name,
                const std::vector<std::string>& values);
  void set_arguments(const std::vector<std::string>& values);
  [[noreturn]] void refuse_flag(const std::string& text) const;

  std::string usage_, about_;
  std::vector<Argument> arguments_;
  std::vector<Flag> flags_;
  OptionTable flag_values_;  // entries "--name", parallel to flags_
  OptionTable config_;
  std::vector<std::string> settings_;  // "section.key=value" of --set
};

}  // namespace sono
