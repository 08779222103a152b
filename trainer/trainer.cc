#include "trainer/trainer.h"

#include <chrono>
#include <cstdio>
#include <optional>

#include "core/check.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/message.h"
#include "core/progress.h"
#include "dist/checkpoint/reader.h"
#include "dist/checkpoint/store.h"
#include "dist/lane_reducer.h"
#include "dist/optimizer.h"
#include "trainer/learning_rate.h"

namespace sono {
namespace {

OptimizerOptions optimizer_options(const TrainConfig& config) {
  return {config.optimizer,    config.beta1,     config.beta2,    config.eps,
          config.weight_decay, config.clip_norm, config.ema_decay};
}

std::string hash_of(const at::Tensor& flat) {
  const at::Tensor host = flat.to(at::kCPU);
  return sha256_hex({static_cast<const char*>(host.const_data_ptr()),
                     static_cast<std::size_t>(host.nbytes())});
}

// One run of the loop; lives as long as `train`.
class Loop {
 public:
  Loop(Communicator& comm, Task& task, const TrainConfig& config,
       const std::string& config_hash, std::filesystem::path dir)
      : comm_(comm),
        task_(task),
        config_(config),
        dir_(std::move(dir)),
        arena_(task.parameters(), {.with_ema = config.ema_decay > 0}),
        reducer_(comm, arena_.layout(), config.lanes, /*num_scalars=*/1,
                 arena_.params.data.device()),
        optimizer_(optimizer_options(config)),
        rate_{config.learning_rate, config.schedule, config.warmup_steps,
              config.steps} {
    state_.seed = config.seed;
    state_.lanes = config.lanes;
    state_.config_hash = config_hash;
  }

  std::int64_t step() const { return state_.step; }
  bool done() const { return state_.step >= config_.steps; }
  TrainResult finish() {
    finish_save();
    const auto checkpoint = dir_ / checkpoint_name(state_.step);
    remove_other_checkpoints(comm_, checkpoint);
    return {checkpoint, state_.loss, optimizer_.state.skipped};
  }

  void resume() {
    check_same(comm_, "initial parameters", hash_of(arena_.params.data));
    const auto found = find_checkpoint(comm_, dir_, state_);
    if (!found) return;
    if (found->state.step > config_.steps) {
      throw ConfigError(found->path.string() + ": is past the last step, " +
                        std::to_string(config_.steps) +
                        "; choose another output folder");
    }
    load_checkpoint(comm_, found->path, arena_);
    state_ = found->state;
    optimizer_.state = state_.optimizer;
    if (comm_.rank() == 0) {
      log_info("going on from " + found->path.string());
    }
  }

  void open_store() { store_.emplace(comm_, dir_, arena_); }
  void save() {
    state_.optimizer = optimizer_.state;
    store_->save(state_);
  }
  void finish_save() {
    if (store_) store_->finish();
  }

  bool save_is_due() const {
    return done() || (config_.checkpoint_every > 0 &&
                      state_.step % config_.checkpoint_every == 0);
  }

  struct Step {
    double loss;
    double norm;
    double learning_rate;
    bool stop;  // some rank wants to stop; the same on all ranks
  };

  Step run_step(bool wants_stop) {
    const auto [first, last] = reducer_.lanes();
    for (int lane = first; lane < last; ++lane) run_lane(lane);
    const LaneSums sums = reducer_.finish(arena_.grad.data, wants_stop);
    Step step{sums.scalars[0], 0, rate_.at(state_.step), sums.votes > 0};
    store_->wait_copied();
    step.norm = optimizer_.step(arena_, step.learning_rate, step.loss);
    state_.loss = step.loss;
    ++state_.step;
    return step;
  }

 private:
  void run_lane(int lane) {
    const auto begin = split_point(config_.batch_size, config_.lanes, lane);
    const auto end = split_point(config_.batch_size, config_.lanes, lane + 1);
    if (begin == end) {
      reducer_.add_lane({}, {0.0});
      return;
    }
    at::AutoGradMode with_grad(true);
    const at::Tensor loss = task_.loss(state_.step, begin, end);
    SONO_CHECK_EQ(loss.numel(), 1);
    loss.backward();
    reducer_.add_lane(arena_.take_gradients(), {loss.item<double>()});
  }

  Communicator& comm_;
  Task& task_;
  const TrainConfig& config_;
  std::filesystem::path dir_;
  Arena arena_;
  LaneReducer reducer_;
  Optimizer optimizer_;
  LearningRate rate_;
  CheckpointState state_;
  std::optional<CheckpointStore> store_;  // where there is training to do
};

// What people and machines are told about the steps; rank 0 speaks.
class StepLog {
 public:
  StepLog(const Communicator& comm, const TrainConfig& config, JsonLines* log,
          const std::string& label)
      : log_(comm.rank() == 0 ? log : nullptr),
        batch_size_(config.batch_size),
        label_(label),
        progress_(label, config.steps, "step", comm.rank() == 0) {}

  void add(std::int64_t done, const Loop::Step& step) {
    const auto now = Clock::now();
    const std::chrono::duration<double> passed = now - last_;
    last_ = now;
    char note[32];
    std::snprintf(note, sizeof(note), "loss %.4g", step.loss);
    progress_.update(done, note);
    if (log_ == nullptr) return;
    log_->append(
        {{"event", "step"},
         {"label", label_},
         {"step", done},
         {"loss", step.loss},
         {"norm", step.norm},
         {"lr", step.learning_rate},
         {"samples_per_s", static_cast<double>(batch_size_) / passed.count()}});
  }

  void finish() { progress_.finish(); }

 private:
  using Clock = std::chrono::steady_clock;
  JsonLines* log_;
  std::int64_t batch_size_;
  std::string label_;
  Progress progress_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace

TrainResult train(Communicator& comm, Task& task, const TrainConfig& config,
                  const std::string& config_hash,
                  const std::filesystem::path& dir, const StopSignal& stop,
                  JsonLines* log, const std::string& label) {
  Loop loop(comm, task, config, config_hash, dir);
  loop.resume();
  if (loop.done()) return loop.finish();
  loop.open_store();
  StepLog step_log(comm, config, log, label);
  while (!loop.done()) {
    const Loop::Step step = loop.run_step(stop.requested());
    step_log.add(loop.step(), step);
    if (step.stop || loop.save_is_due()) loop.save();
    if (step.stop && !loop.done()) {
      loop.finish_save();
      throw StopRequested(label + ": stopped after step " +
                          std::to_string(loop.step()) +
                          " with everything saved; run the same command "
                          "again to go on");
    }
  }
  step_log.finish();
  return loop.finish();
}

}  // namespace sono
