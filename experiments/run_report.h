#pragma once
// The last stage: cases.csv, summary.json, report.html of a run, and what
// report_files.h has.

#include <map>
#include <vector>

#include "experiments/evaluation/predictor.h"
#include "experiments/evaluation/worker.h"
#include "experiments/pipeline.h"
#include "experiments/report/cases.h"
#include "experiments/study.h"

namespace sono {

struct ReportData {
  const std::vector<Candidate>& candidates;
  // Stages that made synthetic data sets, by label of the run.
  const std::map<std::string, StageResult>& datasets;
  const nlohmann::json& quality;  // outputs of the quality stage, or null
  const nlohmann::json& leaks;    // outputs of the leak check
  const Evaluated& evaluated;
  // provenance.csv: where each cell's numbers come from; see cell_provenance.
  std::string provenance;
  // What the cases lack, one line each, for the report to say.
  std::vector<std::string> missing = {};
};

// Writes the report's files into `dir`. Rank 0 alone calls.
RunOutcome write_report_files(const RunContext& context, const Study& study,
                              const ReportData& data, Predictor& predictor,
                              const std::filesystem::path& dir);

// A stage that writes the report's files, which are then copied into the run's
// folder. Returns where the report is and (on rank 0) the text table. All ranks
// must call.
RunOutcome write_report(const RunContext& context, const Study& study,
                        const ReportData& data, Predictor& predictor);

// What that stage depends on.
nlohmann::json report_inputs(const RunContext& context,
                             const std::vector<Case>& cases);

}  // namespace sono
