// `sonoforge inspect PATH`: what it is and what it was made from.

#include <algorithm>
#include <cstdio>
#include <map>
#include <numeric>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/safetensors_header.h"
#include "data/cohort_audit.h"
#include "data/shards/manifest.h"
#include "dist/checkpoint/manifest.h"
#include "launch/commands/commands.h"
#include "launch/commands/path_kind.h"
#include "launch/options/command_line.h"
#include "models/lora/lora_file.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

void say(const std::string& name, const std::string& value) {
  std::printf("  %-22s %s\n", name.c_str(), value.c_str());
}

// One line a field; nested fields as "outer.inner".
void say_json(const nlohmann::json& json, const std::string& prefix = "") {
  for (const auto& [key, value] : json.items()) {
    if (value.is_object()) {
      say_json(value, prefix + key + ".");
    } else {
      say(prefix + key,
          value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
}

// The json file; DataError naming it when it is damaged.
nlohmann::json read_json(const fs::path& path) {
  try {
    return nlohmann::json::parse(read_file(path));
  } catch (const nlohmann::json::exception& error) {
    throw DataError(path.string() + ": " + error.what());
  }
}

// A LoRA's layers with what each of them counts.
void inspect_lora(const fs::path& path) {
  const LoraFile file = read_lora(path);
  std::printf("%s: LoRA as %s writes it\n", file.source.c_str(),
              to_string(file.dialect).c_str());
  say("layers", std::to_string(file.entries.size()));
  std::printf("  %-10s %-6s %-10s %s\n", "scale", "rank", "alpha", "layer");
  for (const LoraEntry& entry : file.entries) {
    std::printf("  %-10.6g %-6lld %-10.6g %s\n", entry.scale(),
                static_cast<long long>(entry.rank()), entry.alpha,
                entry.name.c_str());
  }
}

bool is_lora(const SafetensorsHeader& header) {
  return std::any_of(header.entries.begin(), header.entries.end(),
                     [](const auto& entry) {
                       const auto key = parse_lora_key(entry.name);
                       return key && key->part == LoraKey::Part::kDown;
                     });
}

void inspect_weights(const fs::path& path) {
  const SafetensorsHeader header = read_header(path);
  if (is_lora(header)) return inspect_lora(path);
  std::int64_t parameters = 0;
  std::map<std::string, int> dtypes;
  for (const auto& entry : header.entries) {
    parameters += std::accumulate(entry.shape.begin(), entry.shape.end(),
                                  std::int64_t{1}, std::multiplies<>());
    ++dtypes[entry.dtype];
  }
  std::printf("%s: weights\n", path.c_str());
  say("tensors", std::to_string(header.entries.size()));
  say("parameters", std::to_string(parameters));
  for (const auto& [dtype, count] : dtypes) {
    say("of type " + dtype, std::to_string(count));
  }
  for (const auto& [key, value] : header.metadata) say(key, value);
}

void inspect_checkpoint(const fs::path& path) {
  std::printf("%s: checkpoint\n", path.c_str());
  say_json(read_json(path / "state.json"));
  inspect_weights(path / "model.safetensors");
}

void inspect_dataset(const fs::path& path) {
  const auto plan = read_plan(path);
  if (!plan) throw DataError(path.string() + ": plan.json is missing");
  const auto manifest = read_manifest(path);
  std::printf("%s: data set of shards\n", path.c_str());
  say_json(*plan);
  say("shards", std::to_string(plan->num_shards()));
  say("complete", manifest ? "yes" : "no; run its generation again");
  if (!manifest) return;
  say("dataset_hash", manifest->dataset_hash);
  say("accepted", std::to_string(manifest->accepted));
  for (const auto& [kind, number] : manifest->rejected) {
    say("rejected: " + kind, std::to_string(number));
  }
}

void inspect_run(const fs::path& path) {
  std::printf("%s: run\n", path.c_str());
  auto run = read_json(path / "run.json");
  run.erase("options");  // they are in config.ini
  say_json(run);
  say("config", (path / "config.ini").string());
  for (const fs::path& artifact : artifacts_below(path)) {
    say(kind_of(artifact) == PathKind::kDataset ? "data set" : "checkpoint",
        artifact.string());
  }
}

void inspect_cohort(const fs::path& path, const CohortConfig& config) {
  const Cohort cohort = open_cohort(path.filename().string(), path, config);
  std::fputs(audit_text(audit_cohort(cohort)).c_str(), stdout);
}

}  // namespace

int inspect_command(const Arguments& args) {
  std::string path;
  CohortConfig config;
  CommandLine line("inspect PATH [--set data.mask=auto]",
                   "Says what PATH is and from which config, seed and weights "
                   "it was made. A cohort is\naudited: counts, sizes, spacing, "
                   "exams, duplicates, and masks that are empty, open\nor "
                   "disagree with the csv.");
  line.argument("PATH", &path,
                "a cohort, a data set, a checkpoint, a run or a .safetensors");
  describe(line.config(), config);
  if (!line.parse(args)) return 0;
  line.load_config();
  config.validate();

  switch (kind_of(path)) {
    case PathKind::kRun:
      inspect_run(path);
      break;
    case PathKind::kDataset:
      inspect_dataset(path);
      break;
    case PathKind::kCheckpoint:
      inspect_checkpoint(path);
      break;
    case PathKind::kWeights:
      inspect_weights(path);
      break;
    case PathKind::kFolder:
      inspect_cohort(path, config);
      break;
  }
  return 0;
}

}  // namespace sono
