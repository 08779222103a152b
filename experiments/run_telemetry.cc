#include "experiments/run_telemetry.h"

#include "core/event_file.h"
#include "experiments/report/tensorboard.h"
#include "experiments/run_folder.h"

namespace sono {

std::unique_ptr<MetricsFile> open_metrics(const std::string& file,
                                          const std::filesystem::path& out,
                                          Communicator& comm) {
  std::unique_ptr<MetricsFile> metrics;
  run_together(comm, [&] {
    if (comm.rank() != 0 || file.empty()) return;
    const MetricsFile::Labels run = {
        {"run", std::filesystem::absolute(out).lexically_normal().string()}};
    metrics = std::make_unique<MetricsFile>(file, run);
    metrics->set("sonoforge_ranks", "Ranks of the run.", comm.world_size());
  });
  return metrics;
}

Telemetry make_telemetry(const std::filesystem::path& out,
                         const std::string& label,
                         const std::string& trace_steps, MetricsFile* metrics) {
  Telemetry telemetry;
  telemetry.events = out / "tensorboard" / events_folder(label) / kEventFile;
  telemetry.metrics = metrics;
  telemetry.trace = TraceSteps::parse(trace_steps);
  telemetry.traces = out / "traces";
  telemetry.forecast = true;
  telemetry.on_forecast = [out](const nlohmann::json& forecast) {
    record_forecast(out, forecast);
  };
  return telemetry;
}

}  // namespace sono
