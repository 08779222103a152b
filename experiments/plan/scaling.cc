#include "experiments/plan/scaling.h"

#include <algorithm>
#include <cstdio>

#include "core/disk_space.h"

namespace sono {
namespace {

const char* basis_name(Basis basis) {
  switch (basis) {
    case Basis::kMeasured:
      return "measured parts";
    case Basis::kInterpolated:
      return "interpolated";
    case Basis::kExtrapolated:
      return "EXTRAPOLATED";
    case Basis::kOneNode:
      return "EXTRAPOLATED from one node's links";
    case Basis::kUpperBound:
      return "AT BEST: no link measured";
  }
  return "";
}

Basis basis_of(const ScalingInput& input, int ranks) {
  if (ranks == 1 || ranks == input.here.ranks) return Basis::kMeasured;
  if (input.links.empty()) return Basis::kUpperBound;
  if (ranks < input.links.back().ranks) return Basis::kInterpolated;
  return input.nodes_here == 1 ? Basis::kOneNode : Basis::kExtrapolated;
}

// A batch and lanes that give each of so many ranks the samples that it has
// where the recipe's lanes are just enough.
TrainConfig widened(TrainConfig config, int ranks) {
  const std::int64_t lane = largest_lane(config);
  config.lanes = ranks;
  config.batch_size = lane * ranks;
  return config;
}

double samples_a_second(const TrainConfig& config, const StepForecast& step) {
  return static_cast<double>(config.batch_size) / step.seconds();
}

TrainingScaling scale_training(const ScalingInput& input,
                               const std::string& name, const StepCost& cost,
                               const TrainConfig& config) {
  TrainingScaling scaling{name, config, {}};
  const StepForecast one =
      forecast_step(cost, config, input.links, {1, 1, input.here.cores});
  const double of_one = samples_a_second(config, one);
  for (int nodes = 1; nodes <= input.most_nodes; nodes *= 2) {
    StepWorld world = input.here;
    world.ranks = nodes * input.here.ranks_a_host;
    const bool fits = world.ranks <= config.lanes;
    const TrainConfig used = fits ? config : widened(config, world.ranks);
    ScalingRow row;
    row.nodes = nodes;
    row.step = forecast_step(cost, used, input.links, world);
    row.samples_a_second = samples_a_second(used, row.step);
    row.efficiency = row.samples_a_second / (of_one * world.ranks);
    row.basis = basis_of(input, world.ranks);
    row.lanes = fits ? 0 : used.lanes;
    scaling.rows.push_back(row);
  }
  return scaling;
}

void add_work(const ScalingInput& input, const std::string& name,
              double seconds, RecipeScaling& scaling) {
  if (seconds <= 0) return;
  const double busy =
      std::min<double>(input.here.ranks_a_host, input.here.cores);
  scaling.work.push_back({name, 1 / seconds, busy / seconds});
}

std::string row_text(const ScalingRow& row) {
  char line[192];
  std::snprintf(line, sizeof(line),
                "  %6d %7d %10.4g %9.4g %9.4g %9.4g %12.4g %6.0f %%  %9s  %s",
                row.nodes, row.step.ranks, row.step.seconds(), row.step.compute,
                row.step.communication - row.step.hidden, row.step.update,
                row.samples_a_second, 100 * row.efficiency,
                bytes_text(static_cast<double>(row.step.memory_bytes)).c_str(),
                basis_name(row.basis));
  std::string text = line;
  if (row.lanes > 0) text += ", lanes = " + std::to_string(row.lanes) + " (*)";
  return text + "\n";
}

}  // namespace

RecipeScaling scale_recipe(const ScalingInput& input) {
  RecipeScaling scaling{input.here, input.nodes_here, {}, {}};
  const auto add = [&](const char* name, Work work,
                       const std::optional<StepCost>& cost) {
    if (!cost) return;
    scaling.trainings.push_back(
        scale_training(input, name, *cost, training_of(input.recipe, work)));
  };
  add("pretrain", Work::kPretrain, input.costs.pretrain);
  add("adapt", Work::kAdapt, input.costs.adapt);
  add("tune", Work::kTune, input.costs.tune);
  add_work(input, "phantoms drawn", input.costs.phantom, scaling);
  add_work(input, "images generated", input.costs.generate_image, scaling);
  add_work(input, "images encoded", input.costs.encode, scaling);
  add_work(input, "masks predicted and scored", input.costs.predict, scaling);
  return scaling;
}

std::string scaling_text(const RecipeScaling& scaling) {
  std::string text;
  bool widened_rows = false;
  for (const TrainingScaling& training : scaling.trainings) {
    text += "  " + training.name + ": batch " +
            std::to_string(training.config.batch_size) + " in " +
            std::to_string(training.config.lanes) +
            " lanes; seconds a step\n"
            "   nodes   ranks       step   compute     comm.    update   "
            "samples/s  effic.  memory a rank\n";
    for (const ScalingRow& row : training.rows) {
      text += row_text(row);
      widened_rows |= row.lanes > 0;
    }
  }
  if (widened_rows) {
    text +=
        "  (*) more ranks than the recipe has lanes are refused; with so many "
        "lanes and a batch\n      grown alike they have work, which is another "
        "training with other results\n";
  }
  for (const WorkScaling& work : scaling.work) {
    char line[160];
    std::snprintf(line, sizeof(line),
                  "  %s: %.4g a second on one core, %.4g on one node; workers "
                  "share nothing, so N nodes do N times that\n",
                  work.name.c_str(), work.items_a_second,
                  work.items_a_second_here);
    text += line;
  }
  return text;
}

nlohmann::json to_json(const RecipeScaling& scaling) {
  nlohmann::json json = {{"ranks_measured", scaling.here.ranks},
                         {"ranks_a_node", scaling.here.ranks_a_host},
                         {"cores_a_node", scaling.here.cores},
                         {"trainings", nlohmann::json::object()},
                         {"work", nlohmann::json::object()}};
  for (const TrainingScaling& training : scaling.trainings) {
    for (const ScalingRow& row : training.rows) {
      nlohmann::json entry = {{"nodes", row.nodes},
                              {"ranks", row.step.ranks},
                              {"step_seconds", row.step.seconds()},
                              {"compute_seconds", row.step.compute},
                              {"communication_seconds", row.step.communication},
                              {"hidden_seconds", row.step.hidden},
                              {"update_seconds", row.step.update},
                              {"samples_a_second", row.samples_a_second},
                              {"efficiency", row.efficiency},
                              {"memory_bytes", row.step.memory_bytes},
                              {"basis", basis_name(row.basis)}};
      if (row.lanes > 0) entry["lanes_needed"] = row.lanes;
      json["trainings"][training.name].push_back(std::move(entry));
    }
  }
  for (const WorkScaling& work : scaling.work) {
    json["work"][work.name] = {
        {"items_a_second_a_core", work.items_a_second},
        {"items_a_second_a_node", work.items_a_second_here}};
  }
  return json;
}

}  // namespace sono
