#include "launch/options/run_config.h"

#include <filesystem>

#include "core/error.h"

namespace sono {

void load_run_config(CommandLine& line, const std::string& run,
                     const Recipe& recipe) {
  const std::filesystem::path folder = run;
  for (const char* name : {"config.ini", "run.json"}) {
    if (std::filesystem::exists(folder / name)) continue;
    throw ConfigError(run + ": no " + name +
                      " in it; name the folder of a run (`sonoforge run "
                      "RECIPE.ini --out DIR`)");
  }
  line.load_config((folder / "config.ini").string());
  recipe.validate();
}

void add_watch_flags(CommandLine& line, WatchOptions& watch,
                     const std::string& help) {
  line.flag("watch", &watch.watch, "", help);
  line.flag("idle", &watch.idle_seconds, "SECONDS",
            "with --watch: end after so long without anything to do; 0: never");
  line.flag("poll", &watch.poll_seconds, "SECONDS",
            "pause between two looks at the folder");
}

}  // namespace sono
