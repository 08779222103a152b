#include "dist/recorder/step_trace.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace sono {
namespace {

constexpr std::int64_t kMomentNs = 10'000;

}  // namespace

int StepTrace::row_of_thread() {
  const auto thread = static_cast<std::uint64_t>(::syscall(SYS_gettid));
  return rows_.try_emplace(thread, static_cast<int>(rows_.size()))
      .first->second;
}

void StepTrace::add(std::string_view category, std::string_view name,
                    std::int64_t begin_ns, std::int64_t end_ns,
                    const nlohmann::json& args) {
  const std::lock_guard lock(mutex_);
  slices_.push_back({std::string(category), std::string(name), begin_ns, end_ns,
                     args, row_of_thread()});
}

void StepTrace::name_row(const std::string& name) {
  const std::lock_guard lock(mutex_);
  row_names_.try_emplace(row_of_thread(), name);
}

void StepTrace::enter_phase(Phase phase, std::int64_t step,
                            std::int64_t now_ns) {
  end_phase(now_ns);
  const std::lock_guard lock(mutex_);
  phase_ = phase;
  phase_step_ = step;
  phase_begin_ns_ = now_ns;
  phase_row_ = row_of_thread();
}

void StepTrace::cut_phase(std::int64_t now_ns) {
  Phase phase;
  std::int64_t step;
  {
    const std::lock_guard lock(mutex_);
    if (row_of_thread() != phase_row_ || phase_begin_ns_ == 0) return;
    phase = phase_, step = phase_step_;
  }
  enter_phase(phase, step, now_ns);
}

void StepTrace::end_phase(std::int64_t now_ns) {
  Phase phase;
  std::int64_t begin, step;
  {
    const std::lock_guard lock(mutex_);
    phase = phase_, begin = phase_begin_ns_, step = phase_step_;
    phase_begin_ns_ = 0;
  }
  // Between two phases lies a moment that is none.
  const bool moment = phase == Phase::kStage && now_ns - begin < kMomentNs;
  if (begin > 0 && !moment) {
    add("phase", phase_name(phase), begin, now_ns, {{"step", step}});
  }
}

std::string StepTrace::json(std::int64_t anchor_ns) const {
  const std::lock_guard lock(mutex_);
  nlohmann::json events = nlohmann::json::array();
  const auto name = [&](const char* what, int row, const std::string& text) {
    events.push_back({{"ph", "M"},
                      {"name", what},
                      {"pid", rank_},
                      {"tid", row},
                      {"args", {{"name", text}}}});
  };
  name("process_name", 0, "rank " + std::to_string(rank_) + " on " + host_);
  for (const auto& [row, text] : row_names_) name("thread_name", row, text);
  for (const Slice& slice : slices_) {
    nlohmann::json event = {
        {"ph", "X"},
        {"cat", slice.category},
        {"name", slice.name},
        {"pid", rank_},
        {"tid", slice.row},
        // Microseconds; whole nanoseconds stay visible.
        {"ts", static_cast<double>(slice.begin_ns + anchor_ns) / 1e3},
        {"dur", static_cast<double>(slice.end_ns - slice.begin_ns) / 1e3}};
    if (!slice.args.is_null()) event["args"] = slice.args;
    events.push_back(std::move(event));
  }
  return nlohmann::json(
             {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}})
             .dump() +
         "\n";
}

}  // namespace sono
