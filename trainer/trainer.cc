#include "trainer/trainer.h"

#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/message.h"
#include "dist/checkpoint/reader.h"
#include "dist/checkpoint/store.h"
#include "dist/gradient_norm.h"
#include "dist/memory_plan.h"
#include "dist/optimizer.h"
#include "dist/parameter_gather.h"
#include "dist/recorder/flight_recorder.h"
#include "dist/reducer/gradient_reducer.h"
#include "trainer/block_parameters.h"
#include "trainer/forecast_check.h"
#include "trainer/learning_rate.h"
#include "trainer/step_log.h"
#include "trainer/step_times.h"
#include "trainer/step_tracer.h"

namespace sono {
namespace {

std::string hash_of(const at::Tensor& flat) {
  const at::Tensor host = flat.to(at::kCPU);
  return sha256_hex({static_cast<const char*>(host.const_data_ptr()),
                     static_cast<std::size_t>(host.nbytes())});
}

ArenaOptions arena_options(const Communicator& comm,
                           const TrainConfig& config) {
  ArenaOptions options = config.arena_options();
  options.rank = comm.rank();
  options.world_size = comm.world_size();
  return options;
}

// Of values, not of memory: the same for every way of holding them.
std::string hash_of(const NamedTensors& parameters) {
  std::string hashes;
  for (const auto& [name, tensor] : parameters) {
    hashes += hash_of(tensor.detach().contiguous());
  }
  return sha256_hex(hashes);
}

// Fetching parameters is collective, so every rank must have samples in every
// round.
void check_stage_3(const Communicator& comm, const TrainConfig& config) {
  if (config.dist.zero_stage < 3) return;
  if (config.lanes % comm.world_size() == 0 &&
      config.batch_size >= config.lanes) {
    return;
  }
  throw ConfigError(
      "option dist.zero_stage = 3 needs a number of lanes (" +
      std::to_string(config.lanes) + ") that the ranks (" +
      std::to_string(comm.world_size()) + ") divide, and a batch (" +
      std::to_string(config.batch_size) +
      ") of at least as many samples; take other ranks or lanes, or stage 2");
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
        initial_hash_(hash_of(task.parameters())),
        arena_(task.parameters(), arena_options(comm, config)),
        queue_(comm, config.dist.overlap),
        reducer_(make_gradient_reducer(
            queue_, arena_, config.dist.reducer_options(config.lanes))),
        optimizer_(config.optimizer_options(),
                   rate_groups(arena_.layout(), task.rate_factors())),
        rate_{config.learning_rate, config.schedule, config.warmup_steps,
              config.steps} {
    state_.seed = config.seed;
    state_.lanes = config.lanes;
    state_.config_hash = config_hash;
    if (config.dist.zero_stage >= 3) {
      blocks_ =
          std::make_unique<BlockParameters>(queue_, arena_, task.blocks());
    }
  }

  void log_prediction() const {
    const MemoryPlan plan =
        predict_memory(arena_.layout(), arena_options(comm_, config_),
                       config_.dist.reducer_options(config_.lanes),
                       entries_of(task_.blocks(), arena_.parameters()));
    if (comm_.rank() == 0) log_info("each rank will hold " + plan.text());
  }

  void log_measurement() const {
    if (comm_.rank() != 0) return;
    const double resident = static_cast<double>(resident_bytes()) / 1e6;
    const ParameterUnits* units = blocks_ ? &blocks_->units() : nullptr;
    log_info("rank 0 held " + measure_memory(arena_, *reducer_, units).text() +
             "; resident in all " + std::to_string(std::lround(resident)) +
             " MB");
  }

  std::int64_t step() const { return state_.step; }
  bool done() const { return state_.step >= config_.steps; }
  TrainResult finish() {
    finish_save();
    if (blocks_) blocks_->units().unshard();
    const auto checkpoint = dir_ / checkpoint_name(state_.step);
    remove_other_checkpoints(comm_, checkpoint);
    return {checkpoint, state_.loss, optimizer_.state.skipped};
  }

  void resume() {
    check_same(comm_, "initial parameters", initial_hash_);
    const auto found = find_checkpoint(comm_, dir_, state_);
    if (!found) return;
    if (found->state.step > config_.steps) {
      throw ConfigError(found->path.string() + ": is past the last step, " +
                        std::to_string(config_.steps) +
                        "; choose another output folder");
    }
    load_checkpoint(comm_, found->path, arena_);
    if (blocks_) blocks_->units().refresh();
    state_ = found->state;
    optimizer_.state = state_.optimizer;
    if (comm_.rank() == 0) {
      log_info("going on from " + found->path.string());
    }
  }

  void open_store() { store_.emplace(comm_, dir_, arena_); }
  void save() {
    const PhaseMark mark(comm_.recorder(), Phase::kSave, state_.step);
    state_.optimizer = optimizer_.state;
    store_->save(state_);
    times_.mark(StepTimes::kSave);
  }
  void finish_save() {
    const PhaseMark mark(comm_.recorder(), Phase::kSave, state_.step);
    if (store_) store_->finish();
  }

  bool save_is_due() const {
    return done() || (config_.checkpoint_every > 0 &&
                      state_.step % config_.checkpoint_every == 0);
  }

  StepOutcome run_step(bool wants_stop) {
    const TraceSlice slice(comm_.recorder(), "step", state_.step + 1);
    const RankReport report = {wants_stop, times_.seconds()};
    times_.restart();
    for (const LaneSamples& samples : reducer_->pieces(config_.batch_size)) {
      run_piece(samples);
    }
    times_.mark(StepTimes::kCompute);
    const PhaseMark reduce(comm_.recorder(), Phase::kReduce, state_.step);
    const StepSums sums = reducer_->finish(report);
    StepOutcome outcome{
        sums.scalars[0], gradient_norm(comm_, arena_), rate_.at(state_.step),
        sums.any_vote(), find_straggler(sums.ranks),   {}};
    times_.mark(StepTimes::kReduce);
    store_->wait_copied();
    times_.mark(StepTimes::kSave);
    const PhaseMark update(comm_.recorder(), Phase::kOptimizer, state_.step);
    optimizer_.step(arena_, outcome.norm, outcome.learning_rate, outcome.loss);
    gather_parameters(comm_, arena_);
    if (blocks_) blocks_->units().refresh();
    times_.mark(StepTimes::kUpdate);
    state_.loss = outcome.loss;
    ++state_.step;
    outcome.seconds = times_.seconds();
    outcome.skipped = optimizer_.state.skipped;
    return outcome;
  }

 private:
  void run_piece(const LaneSamples& samples) {
    const TraceSlice slice(comm_.recorder(), "lane");
    const PhaseMark forward(comm_.recorder(), Phase::kForward, state_.step);
    reducer_->begin_piece();
    if (blocks_) blocks_->units().begin_pass();
    double value = 0;
    if (samples.size() > 0) {
      at::AutoGradMode with_grad(true);
      std::optional<RecomputeScope> recompute;
      if (blocks_ || config_.dist.recompute) recompute.emplace(blocks_.get());
      const at::Tensor loss =
          task_.loss(state_.step, samples.begin, samples.end);
      SONO_CHECK_EQ(loss.numel(), 1);
      const PhaseMark backward(comm_.recorder(), Phase::kBackward, state_.step);
      loss.backward();
      value = loss.item<double>();
    }
    reducer_->end_piece({value});
  }

  Communicator& comm_;
  Task& task_;
  const TrainConfig& config_;
  std::filesystem::path dir_;
  std::string initial_hash_;
  Arena arena_;
  CommQueue queue_;
  std::unique_ptr<GradientReducer> reducer_;
  std::unique_ptr<BlockParameters> blocks_;  // stage 3 only
  Optimizer optimizer_;
  LearningRate rate_;
  CheckpointState state_;
  StepTimes times_;
  std::optional<CheckpointStore> store_;  // where there is training to do
};

}  // namespace

TrainResult train(Communicator& comm, Task& task, const TrainConfig& config,
                  const std::string& config_hash,
                  const std::filesystem::path& dir, const StopSignal& stop,
                  JsonLines* log, const std::string& label,
                  const Telemetry& telemetry) {
  check_stage_3(comm, config);
  ForecastCheck forecast(comm, task, config, telemetry, label);
  Loop loop(comm, task, config, config_hash, dir);
  loop.resume();
  if (loop.done()) return loop.finish();
  loop.open_store();
  loop.log_prediction();
  StepLog step_log(comm, config, log, label, telemetry, loop.step());
  StepTracer tracer(comm, telemetry, label);
  while (!loop.done()) {
    tracer.begin_step(loop.step() + 1);
    const StepOutcome step = loop.run_step(stop.requested());
    tracer.end_step(loop.step());
    forecast.add(step_log.add(loop.step(), step));
    task.after_step(loop.step());
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
  loop.log_measurement();
  return loop.finish();
}

}  // namespace sono
