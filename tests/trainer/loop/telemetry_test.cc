// What a training shows beside its log changes nothing and is what happened;
// what is predicted of a step follows the model's formulas.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/event_file.h"
#include "core/hash.h"
#include "core/random.h"
#include "dist/bootstrap.h"
#include "dist/local/communicator.h"
#include "tests/core/expect_error.h"
#include "tests/data/shards/temporary_folder.h"
#include "tests/dist/recorder/nested_slices.h"
#include "trainer/forecast_check.h"
#include "trainer/trainer.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// A product with keyed random vectors.
class VectorTask : public Task {
 public:
  explicit VectorTask(std::int64_t batch_size) : batch_size_(batch_size) {
    weight_ = at::full({8, 16}, 0.5f).requires_grad_();
  }
  NamedTensors parameters() override { return {{"weight", weight_}}; }
  at::Tensor loss(std::int64_t step, std::int64_t begin,
                  std::int64_t end) override {
    at::Tensor x = at::empty({end - begin, 16});
    Random random(make_key(
        "x", 3, static_cast<std::uint64_t>(step * batch_size_ + begin)));
    random.fill_normal(x.data_ptr<float>(), x.numel());
    return at::linear(x, weight_).square().sum() /
           static_cast<double>(batch_size_);
  }

 private:
  std::int64_t batch_size_;
  at::Tensor weight_;
};

TrainConfig vector_config(std::int64_t steps) {
  TrainConfig config;
  config.steps = steps;
  config.batch_size = 4;
  config.lanes = 4;
  config.checkpoint_every = 0;
  return config;
}

class TelemetryTest : public ::testing::Test {
 protected:
  // Two ranks with recorders, as the program has them.
  std::string train_into(const std::string& name, std::int64_t steps,
                         const Telemetry& telemetry) {
    const fs::path dir = folder_.path() / name;
    std::string hash;
    SessionOptions options;
    options.local_ranks = 2;
    options.recorder_folder = folder_.path();
    make_session(options)->run([&](Communicator& comm) {
      at::set_num_threads(1);
      JsonLines log(comm.rank() == 0 ? folder_.path() / "log.jsonl" : "");
      VectorTask task(4);
      StopSignal stop;
      const TrainResult result =
          train(comm, task, vector_config(steps), "abc", dir, stop, &log,
                "a training", telemetry);
      if (comm.rank() == 0) {
        hash = sha256_file(result.checkpoint / "model.safetensors");
      }
    });
    return hash;
  }
  Telemetry everything() {
    Telemetry telemetry;
    telemetry.events = folder_.path() / "events" / kEventFile;
    telemetry.metrics = &metrics_;
    telemetry.trace = {3, 4};
    telemetry.traces = folder_.path() / "traces";
    telemetry.forecast = true;
    telemetry.on_forecast = [this](const nlohmann::json& forecast) {
      forecast_ = forecast;
    };
    return telemetry;
  }

  TemporaryFolder folder_;
  MetricsFile metrics_{folder_.path() / "run.prom", {}};
  nlohmann::json forecast_;
};

TEST_F(TelemetryTest, ChangesNoBytesAndShowsEverything) {
  const std::string plain = train_into("plain", 52, {});
  fs::remove(folder_.path() / "log.jsonl");
  EXPECT_EQ(train_into("shown", 52, everything()), plain);

  std::vector<ScalarEvent> logged;
  std::ifstream lines(folder_.path() / "log.jsonl");
  for (std::string text; std::getline(lines, text);) {
    const auto scalars = step_scalars(nlohmann::json::parse(text));
    logged.insert(logged.end(), scalars.begin(), scalars.end());
  }
  // Loss, rate, norm, samples, and five times.
  EXPECT_EQ(logged.size(), 52u * 9);
  // A file that began empty has no time in its first record.
  constexpr std::size_t kTime = 9;
  EXPECT_EQ(fs::file_size(folder_.path() / "events" / kEventFile),
            encode_events(logged).size() - kTime);

  const std::string metrics = metrics_.text();
  EXPECT_NE(metrics.find("sonoforge_training_steps_total{training=\"a "
                         "training\"} 52\n"),
            std::string::npos)
      << metrics;
  EXPECT_NE(metrics.find("samples_total{training=\"a training\"} 208\n"),
            std::string::npos);
  EXPECT_NE(metrics.find("phase=\"compute\"}"), std::string::npos);

  EXPECT_EQ(forecast_.at("training"), "a training");
  EXPECT_EQ(forecast_.at("ranks"), 2);
  EXPECT_GT(forecast_.at("predicted_seconds").get<double>(), 0);
  EXPECT_GT(forecast_.at("measured_seconds").get<double>(), 0);
}

TEST_F(TelemetryTest, TheTraceHoldsTheStepsOfEveryRank) {
  train_into("run", 6, everything());
  for (int rank = 0; rank < 2; ++rank) {
    const auto events =
        nlohmann::json::parse(
            read_file(folder_.path() / "traces" /
                      ("a-training-rank000" + std::to_string(rank) + ".json")))
            .at("traceEvents");
    expect_nested(events);
    EXPECT_EQ(count_slices(events, "step 2"), 0);
    EXPECT_EQ(count_slices(events, "step 3"), 1);
    EXPECT_EQ(count_slices(events, "step 4"), 1);
    EXPECT_EQ(count_slices(events, "step 5"), 0);
    EXPECT_EQ(count_slices(events, "lane"), 4);  // two lanes a step
    EXPECT_EQ(count_slices(events, "backward"), 4);
    EXPECT_EQ(count_slices(events, "bucket 0"), 2);
    EXPECT_EQ(count_slices(events, "gradient scatter"), 2);
    EXPECT_EQ(row_name(events, row_of(events, "bucket 0")), "communication");
  }
}

TEST_F(TelemetryTest, ATrainingThatGoesOnKeepsItsEvents) {
  Telemetry telemetry;
  telemetry.events = folder_.path() / "events" / kEventFile;
  train_into("run", 3, telemetry);
  // Other trainings' lines and one that a kill cut off.
  std::ofstream(folder_.path() / "log.jsonl", std::ios::app)
      << "{\"event\":\"step\",\"label\":\"other\",\"step\":1,\"loss\":1}\n"
      << "{\"event\":\"st\n";
  train_into("run", 5, telemetry);
  std::ifstream lines(folder_.path() / "log.jsonl");
  std::vector<ScalarEvent> ours;
  for (std::string text; std::getline(lines, text);) {
    const auto line = nlohmann::json::parse(text, nullptr, false);
    if (!line.is_object() || line.value("label", "") != "a training") continue;
    const auto scalars = step_scalars(line);
    ours.insert(ours.end(), scalars.begin(), scalars.end());
  }
  EXPECT_EQ(ours.size(), 5u * 9);
  EXPECT_EQ(fs::file_size(telemetry.events), encode_events(ours).size());
}

TEST(TraceStepsTest, AreReadOrRefused) {
  EXPECT_FALSE(TraceSteps::parse("").any());
  EXPECT_EQ(TraceSteps::parse("7").last, 7);
  EXPECT_EQ(TraceSteps::parse("10-12").first, 10);
  for (const char* text : {"x", "3-", "-3", "0", "5-4", "1-2-3"}) {
    EXPECT_ERROR(TraceSteps::parse(text), ConfigError, "--trace-steps");
  }
}

// ---- The model -------------------------------------------------------------

// 1,048,576 parameters: 4 MiB, one bucket of 1 MiB and one of 3.
StepCost known_cost() {
  const at::Tensor weight = at::zeros({1 << 20}).requires_grad_();
  StepCost cost{Layout({{"weight", weight}}), {}};
  cost.sample = 0.1;
  cost.backward = 0.5;
  cost.update = 1e-8;
  cost.base_bytes = 100;
  cost.activation_bytes = 50;
  return cost;
}

TrainConfig known_config() {
  TrainConfig config;
  config.batch_size = 16;
  config.lanes = 8;
  return config;
}

TEST(StepModelTest, OneRankComputesAllAndSendsNothing) {
  const StepForecast one =
      forecast_step(known_cost(), known_config(), {}, {1, 1, 4});
  EXPECT_NEAR(one.compute, 16 * 0.1, 1e-9);
  EXPECT_EQ(one.communication, 0);
  EXPECT_NEAR(one.update, (1 << 20) * 1e-8, 1e-12);
}

TEST(StepModelTest, RanksThatShareCoresTakeTheTimeOfTheCores) {
  const StepCost cost = known_cost();
  const TrainConfig config = known_config();
  const auto compute = [&](int ranks, int a_host, double cores) {
    return forecast_step(cost, config, {}, {ranks, a_host, cores}).compute;
  };
  EXPECT_NEAR(compute(2, 2, 2), 0.8, 1e-9);
  EXPECT_NEAR(compute(4, 4, 2), 0.8, 1e-9);  // two ranks a core
  EXPECT_NEAR(compute(8, 8, 2), 0.8, 1e-9);
  EXPECT_NEAR(compute(4, 2, 2), 0.4, 1e-9);  // two hosts
  EXPECT_NEAR(compute(3, 3, 4), 0.6, 1e-9);  // 2, 3 and 3 lanes of two
  EXPECT_NEAR(compute(8, 8, 1.5), 1.6 / 1.5, 1e-9);
}

// ZeRO 1 on two ranks: each bucket is scattered, the parameters are gathered,
// then status and norm.
TEST(StepModelTest, CommunicationIsCountedByExchanges) {
  StepCost cost = known_cost();
  TrainConfig config = known_config();
  const std::vector<LinkModel> links = {{2, 1e-3, 1e-9}};
  const double bytes = 4.0 * (1 << 20);
  const StepForecast busy = forecast_step(cost, config, links, {2, 2, 2});
  const double scatter = 2 * 1e-3 + bytes / 2 * 1e-9;
  EXPECT_NEAR(busy.communication, 2 * scatter + 2e-3, 1e-9);
  EXPECT_EQ(busy.hidden, 0);  // no core is free to send
  const StepForecast free = forecast_step(cost, config, links, {2, 2, 4});
  // All but the last bucket, of 3 MiB.
  EXPECT_NEAR(free.hidden, 1e-3 + 0.5 * (1 << 20) * 1e-9, 1e-9);
  config.dist.overlap = false;
  EXPECT_EQ(forecast_step(cost, config, links, {2, 2, 4}).hidden, 0);
  config.dist.zero_stage = 0;  // the sums are gathered, no norm is exchanged
  EXPECT_NEAR(forecast_step(cost, config, links, {2, 2, 2}).communication,
              2 * scatter + 1e-3, 1e-9);
  config.dist.reduce = "fast";
  config.dist.wire = "bf16";
  EXPECT_NEAR(forecast_step(cost, config, links, {2, 2, 2}).communication,
              4e-3 + bytes / 2 * 1e-9 + 1e-3, 1e-9);
}

// Eight lanes on three ranks leave two subtrees to some: two exchanges.
TEST(StepModelTest, UnevenLanesSendMore) {
  const std::vector<LinkModel> links = {{3, 1e-3, 0}};
  const double even =
      forecast_step(known_cost(), known_config(), links, {4, 4, 4})
          .communication;
  const double uneven =
      forecast_step(known_cost(), known_config(), links, {3, 3, 4})
          .communication;
  EXPECT_NEAR(even, 6 * 1.5e-3, 1e-9);  // alpha grows with the messages
  EXPECT_NEAR(uneven, 8 * 1e-3, 1e-9);
}

TEST(StepModelTest, MemoryFallsWithSharding) {
  const auto memory = [](int ranks) {
    return forecast_step(known_cost(), known_config(), {}, {ranks, 1, 1})
        .memory_bytes;
  };
  const std::int64_t p = 1 << 20;
  // Parameters, gradient and moments; two more gradients for lanes that wait;
  // and what a save copies.
  EXPECT_EQ(memory(1), 150 + 16 * p + 2 * 4 * p + 3 * 4 * p);
  EXPECT_LT(memory(8), memory(2));
}

TEST(StepCostTest, LeavesTheParametersAsTheyWere) {
  run_local_ranks(2, [](Communicator& comm) {
    at::set_num_threads(1);
    VectorTask task(4);
    const at::Tensor before = task.parameters()[0].second.detach().clone();
    const StepCost cost = measure_step(comm, task, vector_config(2), {3, 2, 2});
    const at::Tensor after = task.parameters()[0].second;
    EXPECT_TRUE(at::equal(before, after.detach()));
    EXPECT_FALSE(after.grad().defined());
    EXPECT_GT(cost.sample, 0);
    EXPECT_GT(cost.update, 0);
    EXPECT_GT(cost.backward, 0);
    EXPECT_LT(cost.backward, 1);
  });
}

}  // namespace
}  // namespace sono
