#include "experiments/guest_run.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <thread>

#include "core/atomic_file.h"
#include "core/error.h"
#include "dist/local/communicator.h"
#include "experiments/run_folder.h"
#include "trainer/machine_kind.h"

namespace sono {
namespace {

// The same kind of machine as the run's own, and the same options where they
// must be.
void check_run(const std::filesystem::path& out, const OptionTable& options,
               GuestConfig config) {
  const auto file = out / "run.json";
  nlohmann::json run;
  try {
    run = nlohmann::json::parse(read_file(file));
  } catch (const nlohmann::json::exception&) {
    throw DataError(file.string() + ": not a run record; start the run again");
  }
  if (config == GuestConfig::kSame &&
      run.value("config_hash", "") != config_hash(options)) {
    throw ConfigError(out.string() +
                      ": config.ini and run.json do not agree; use the program "
                      "that made the run, and set only options that are speed "
                      "or place");
  }
  if (run["machine"] != machine_kind()) {
    throw ConfigError(out.string() + ": made by ranks on " +
                      run["machine"].dump() + ", this is " +
                      machine_kind().dump() +
                      "; start workers on that kind of machine");
  }
}

}  // namespace

void WatchOptions::validate() const {
  check_range("--idle", idle_seconds, 0, 1e9);
  check_range("--poll", poll_seconds, 0.01, 3600);
}

GuestRun::GuestRun(const Recipe& recipe, const OptionTable& options,
                   const std::filesystem::path& out, const StopSignal& stop,
                   GuestConfig config)
    : comm_(make_single_rank()),
      stages_(*comm_, out / "stages", log_, StageMode::kLook),
      context_{recipe, options, *comm_, stages_, stop, log_, out, {}, true} {
  at::set_num_threads(1);  // as the run's ranks
  context_.machine = machine_kind();
  recipe.validate();
  recipe.check_sources();
  check_run(out, options, config);
}

const Study* GuestRun::study() {
  if (study_) return &*study_;
  const auto is_phantom = [](const std::string& stage) {
    return stage.starts_with("phantom-");
  };
  try {
    study_.emplace(context_.recipe, *comm_, stages_);
  } catch (const Error&) {
    const auto& missing = stages_.missing();
    if (std::none_of(missing.begin(), missing.end(), is_phantom)) throw;
  }
  return study_ ? &*study_ : nullptr;
}

void GuestRun::watch(const WatchOptions& options,
                     const std::function<Look()>& look) {
  options.validate();
  auto last_work = std::chrono::steady_clock::now();
  while (true) {
    const Look found = look();
    if (found.worked) last_work = std::chrono::steady_clock::now();
    if (found.complete || !options.watch) return;
    const std::chrono::duration<double> idle =
        std::chrono::steady_clock::now() - last_work;
    if (options.idle_seconds > 0 && idle.count() >= options.idle_seconds) {
      return;
    }
    pause(options.poll_seconds);
  }
}

// In small steps, so that a signal is answered at once.
void GuestRun::pause(double seconds) const {
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
    if (context_.stop.requested()) {
      throw StopRequested("stopped on request");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(
        static_cast<int>(std::clamp(seconds * 1000, 1.0, 100.0))));
  }
}

}  // namespace sono
