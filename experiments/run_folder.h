#pragma once
// The folder of one run: config.ini, run.json, log.jsonl, stages/, evaluation/,
// cases.csv, summary.json, report.html.

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/option.h"
#include "dist/communicator.h"

namespace sono {

// Makes the folder, or takes one made by the same result options. A folder made
// by another config is a ConfigError that lists the options that differ, unless
// `update` is set: then the stages that changed are redone. All ranks must
// call.
void open_run_folder(const std::filesystem::path& dir, const OptionTable& table,
                     bool update, Communicator& comm);

// Keeps a training's predicted and measured step time in run.json, in place of
// an earlier start's. Rank 0 alone.
void record_forecast(const std::filesystem::path& dir,
                     const nlohmann::json& forecast);

// In it: one file a scored cell, named by the hash of what decides it.
inline constexpr char kEvaluationFolder[] = "evaluation";

// A file of this name in the run's folder asks every rank to stop; opening the
// folder removes it.
std::filesystem::path stop_note(const std::filesystem::path& dir);

// SHA-256 of all result options.
std::string config_hash(const OptionTable& table);

}  // namespace sono
