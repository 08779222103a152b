#include "trainer/step_log.h"

#include <unistd.h>

#include <array>
#include <cstdio>

namespace sono {
namespace {

std::string host_name() {
  std::array<char, 256> name = {};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

}  // namespace

StepLog::StepLog(Communicator& comm, const TrainConfig& config, JsonLines* log,
                 const std::string& label)
    : log_(comm.rank() == 0 ? log : nullptr),
      batch_size_(config.batch_size),
      label_(label),
      hosts_(gather_strings(comm, host_name())),
      progress_(label, config.steps, "step", comm.rank() == 0) {}

std::string StepLog::note(const StepOutcome& step) const {
  std::array<char, 192> text = {};
  const int length =
      std::snprintf(text.data(), text.size(), "loss %.4g", step.loss);
  const Straggler& slow = step.straggler;
  if (slow.ratio >= kSlow) {
    std::snprintf(text.data() + length, text.size() - length,
                  "  slowest: rank %d on %.64s, %.1fx the median (%s)",
                  slow.rank, hosts_[slow.rank].c_str(), slow.ratio,
                  slow.phase.c_str());
  }
  return text.data();
}

void StepLog::add(std::int64_t done, const StepOutcome& step) {
  const auto now = Clock::now();
  const std::chrono::duration<double> passed = now - last_;
  last_ = now;
  progress_.update(done, note(step));
  if (log_ == nullptr) return;
  log_->append(
      {{"event", "step"},
       {"label", label_},
       {"step", done},
       {"loss", step.loss},
       {"norm", step.norm},
       {"lr", step.learning_rate},
       {"samples_per_s", static_cast<double>(batch_size_) / passed.count()},
       {"slowest_rank", step.straggler.rank},
       {"slowest_host", hosts_[step.straggler.rank]},
       {"slowest_phase", step.straggler.phase},
       {"slowest_ratio", step.straggler.ratio}});
}

}  // namespace sono
