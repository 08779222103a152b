#include "experiments/run_folder.h"

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "trainer/machine_kind.h"

namespace sono {
namespace {

// "  name: old -> new" for each result option that differs.
std::string differences(const nlohmann::json& old_options,
                        const nlohmann::json& new_options) {
  std::string text;
  for (const auto& [name, value] : new_options.items()) {
    const auto before = old_options.value(name, std::string("(absent)"));
    if (before != value) {
      text += "\n  " + name + ": " + before + " -> " + value.get<std::string>();
    }
  }
  // An option that is back at the default which it is not recorded with.
  for (const auto& [name, value] : old_options.items()) {
    if (new_options.contains(name)) continue;
    text += "\n  " + name + ": " + value.get<std::string>() + " -> (default)";
  }
  return text;
}

void check_same_config(const std::filesystem::path& file,
                       const nlohmann::json& options) {
  std::string changed;
  try {
    const auto run = nlohmann::json::parse(read_file(file));
    changed = differences(run.at("options"), options);
  } catch (const nlohmann::json::exception&) {
    throw DataError(file.string() + ": not a run record; choose another --out");
  }
  if (!changed.empty()) {
    throw ConfigError(file.parent_path().string() +
                      ": made by another config; choose another --out, or add "
                      "--update to redo the stages that changed:" +
                      changed);
  }
}

}  // namespace

std::string config_hash(const OptionTable& table) {
  return sha256_hex(table.results().dump());
}

std::filesystem::path stop_note(const std::filesystem::path& dir) {
  return dir / "stop-requested";
}

namespace {

// What is not decided by options and machine; empty when there is none.
nlohmann::json forecasts_in(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return nlohmann::json::object();
  const auto run = nlohmann::json::parse(read_file(file), nullptr, false);
  return run.is_object() ? run.value("forecasts", nlohmann::json::object())
                         : nlohmann::json::object();
}

}  // namespace

void record_forecast(const std::filesystem::path& dir,
                     const nlohmann::json& forecast) {
  const auto file = dir / "run.json";
  auto run = nlohmann::json::parse(read_file(file));
  run["forecasts"][forecast.at("training").get<std::string>()] = forecast;
  write_file_atomic(file, run.dump(1) + "\n");
}

void open_run_folder(const std::filesystem::path& dir, const OptionTable& table,
                     bool update, Communicator& comm) {
  check_same(comm, "the config", config_hash(table));
  check_same(comm, "the kind of machine", machine_kind().dump());
  run_together(comm, [&] {
    if (comm.rank() != 0) return;
    make_directories(dir);
    const auto file = dir / "run.json";
    const nlohmann::json options = table.results();
    if (std::filesystem::exists(file) && !update) {
      check_same_config(file, options);
    }
    const nlohmann::json run = {{"options", options},
                                {"config_hash", config_hash(table)},
                                {"version", SONO_VERSION},
                                {"machine", machine_kind()},
                                {"world_size", comm.world_size()},
                                {"forecasts", forecasts_in(file)}};
    std::filesystem::remove(stop_note(dir));
    write_file_atomic(dir / "config.ini", table.ini());
    write_file_atomic(file, run.dump(1) + "\n");
  });
}

}  // namespace sono
