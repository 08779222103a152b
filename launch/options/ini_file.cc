#include "launch/options/ini_file.h"

#include <boost/program_options.hpp>
#include <fstream>
#include <map>
#include <sstream>

#include "core/error.h"

namespace po = boost::program_options;

namespace sono {
namespace {

bool is_section(const std::string& line) {
  const auto first = line.find_first_not_of(" \t");
  return first != std::string::npos && line[first] == '[';
}

}  // namespace

// Boost reads one line at a time, below its section's: its own messages do not
// say where in the file an error is.
void load_ini(const std::filesystem::path& path, OptionTable& table) {
  std::ifstream file(path);
  if (!file || std::filesystem::is_directory(path)) {
    throw ConfigError(path.string() + ": no such config file");
  }
  std::map<std::string, int> line_of;
  std::string section;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (is_section(line)) section = line;
    const std::string where = path.string() + ":" + std::to_string(number);
    try {
      std::istringstream piece(is_section(line) ? line : section + "\n" + line);
      const po::options_description none;
      for (const auto& option :
           po::parse_config_file(piece, none, true).options) {
        const auto [first, is_new] = line_of.emplace(option.string_key, number);
        if (!is_new) {
          throw ConfigError("option '" + option.string_key +
                            "' stands already in line " +
                            std::to_string(first->second));
        }
        table.set(option.string_key, option.value.at(0));
      }
    } catch (const ConfigError& error) {
      throw ConfigError(where + ": " + error.what());
    } catch (const po::error&) {
      throw ConfigError(where +
                        ": expected '[section]' or 'key = value', got '" +
                        line + "'");
    }
  }
}

}  // namespace sono
