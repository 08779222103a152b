#pragma once
// What stands beside report.html for other programs: tables.tex,
// provenance.csv, nnunet/ and tensorboard/.

#include <filesystem>
#include <nlohmann/json.hpp>

#include "experiments/run_report.h"

namespace sono {

// tables.tex, provenance.csv and nnunet/COHORT/CANDIDATE/PROMPT/summary.json
// into `dir`; an older nnunet/ goes first.
void write_report_tables(const ReportData& data, const nlohmann::json& summary,
                         const std::filesystem::path& dir);

// OUT/tensorboard/TRAINING/events.out.tfevents.*, from log.jsonl as it is now
// and the cases; an older tensorboard/ goes first. Times are those of the log,
// so these files, unlike all others, tell when the run was made.
void write_tensorboard(const std::filesystem::path& out,
                       const ReportData& data);

// Every file of the report's stage into the run's folder.
void copy_report(const std::filesystem::path& stage,
                 const std::filesystem::path& out);

}  // namespace sono
