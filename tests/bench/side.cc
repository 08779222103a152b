#include "tests/bench/side.h"

#include "core/error.h"
#include "core/option.h"
#include "tests/bench/samples.h"

namespace sono::bench {
namespace {

std::unique_ptr<Stepper> make_stepper(Communicator& comm,
                                      const std::string& kind,
                                      Workload& workload,
                                      StepperOptions options) {
  check_choice(
      "SIDE", kind,
      {"exact", "exact-zero0", "recorded", "fast", "fast-zero0", "c10d"});
  if (kind == "c10d") return make_ddp_stepper(comm, workload, options);
  options.exact = !kind.starts_with("fast");
  options.zero_stage = kind.ends_with("-zero0") ? 0 : 1;
  options.recorded = kind == "recorded";
  return make_our_stepper(comm, workload, options);
}

}  // namespace

Side make_side(Communicator& comm, const std::string& workload,
               const std::string& name) {
  const auto slash = name.find('/');
  StepperOptions options;
  options.lanes = parse_count(
      name, slash == std::string::npos ? "" : name.substr(slash + 1));
  if (options.lanes < comm.world_size()) {
    throw ConfigError(name + ": give each of the " +
                      std::to_string(comm.world_size()) +
                      " ranks at least one lane");
  }
  Side side{name, make_workload(workload), 0, nullptr};
  for (const auto& [parameter, tensor] : side.workload->parameters()) {
    side.parameters += tensor.numel();
  }
  side.stepper =
      make_stepper(comm, name.substr(0, slash), *side.workload, options);
  return side;
}

}  // namespace sono::bench
