#include "experiments/run_report.h"

#include <optional>
#include <set>

#include "core/atomic_file.h"
#include "core/hash.h"
#include "data/split.h"
#include "experiments/leaks/leak_check.h"
#include "experiments/named_endpoints.h"
#include "experiments/report/dose_section.h"
#include "experiments/report/html_report.h"
#include "experiments/report/jitter_section.h"
#include "experiments/report/summary.h"
#include "experiments/report/text_table.h"
#include "experiments/report_files.h"
#include "experiments/report_pictures.h"
#include "experiments/run_folder.h"

namespace sono {
namespace {

// Goes up when the report of equal cases changes.
constexpr int kReportVersion = 5;
constexpr char kCasesFile[] = "cases.csv";
constexpr char kSummaryFile[] = "summary.json";
constexpr char kReportFile[] = "report.html";
constexpr char kJitterFile[] = "jitter.csv";
constexpr char kDoseFile[] = "dose.csv";

// Says when a cohort has few independent heads.
std::optional<std::string> few_heads_notice(const StudyCohort& entry) {
  constexpr std::size_t kFew = 30;
  std::set<std::string> groups;
  bool patients = true;
  for (std::size_t i : entry.test) {
    const SampleInfo& info = entry.cohort->info(i);
    groups.insert(split_group(info));
    patients = patients && !info.patient.empty();
  }
  if (groups.empty() || groups.size() >= kFew) return std::nullopt;
  return "Cohort " + entry.name + " has " + std::to_string(entry.test.size()) +
         " test images of only " + std::to_string(groups.size()) +
         (patients ? " patients." : " exams.");
}

std::vector<std::string> notices(const RunContext& context, const Study& study,
                                 const ReportData& data) {
  std::vector<std::string> lines;
  if (!data.missing.empty()) {
    lines.push_back("The evaluation is not complete: " +
                    std::to_string(data.missing.size()) +
                    " of its parts are missing, listed at the end. All that "
                    "follows is of the others alone.");
  }
  if (context.recipe.experiment.smoke_test) {
    lines.push_back(
        "The diffusion of this recipe is a smoke test: it trained for a minute "
        "or so. The numbers show that the parts work together, not what "
        "synthetic images are worth.");
  }
  for (const StudyCohort& entry : study.cohorts()) {
    if (entry.phantom) {
      lines.push_back("Cohort " + entry.name +
                      " is made of phantoms, not of real images.");
    }
    if (const auto notice = few_heads_notice(entry)) lines.push_back(*notice);
  }
  for (const auto& [label, stage] : data.datasets) {
    if (stage.outputs.at("accepted") == 0) {
      lines.push_back("The quality gate accepted no pair of run " + label +
                      ": that run trained on its real images alone.");
    }
  }
  for (const std::string& line : leak_notices(data.leaks)) {
    lines.push_back(line);
  }
  lines.push_back(
      "Whether a test image was in the training data of the published "
      "LiteMedSAM weights is not known.");
  return lines;
}

nlohmann::json provenance(const RunContext& context, const Study& study,
                          const ReportData& data, const std::string& cases_hash,
                          const std::string& summary_hash) {
  nlohmann::json cohorts, datasets, weights;
  for (const StudyCohort& entry : study.cohorts()) {
    cohorts[entry.name] = entry.content_hash;
  }
  for (const auto& [label, stage] : data.datasets) {
    datasets[label] = stage.outputs;
  }
  for (const Candidate& candidate : data.candidates) {
    if (candidate.checkpoint_hash.empty() || candidate.blind()) continue;
    std::string name = candidate.arm;
    if (context.recipe.data.train.size() > 1 && candidate.n_real) {
      name += "-" + candidate.train_cohort;
    }
    if (candidate.n_real) name += "-n" + std::to_string(*candidate.n_real);
    if (candidate.seed) name += "-s" + std::to_string(*candidate.seed);
    weights[name] = candidate.checkpoint_hash;
  }
  nlohmann::json facts = {{"version", SONO_VERSION},
                          {"config", config_hash(context.options)},
                          {"machine", context.machine},
                          {"cohorts", cohorts},
                          {"leaks", data.leaks},
                          {"synthetic data sets", datasets},
                          {"segmenter weights", weights},
                          {"cases.csv", cases_hash},
                          {"summary.json", summary_hash},
                          {"provenance.csv", sha256_hex(data.provenance)},
                          {"options", context.options.results()}};
  if (!data.missing.empty()) facts["missing"] = data.missing;
  return facts;
}

// The tables and curves, and the rows behind the latter.
nlohmann::json summarize_all(const RunContext& context,
                             const Evaluated& evaluated,
                             const std::filesystem::path& dir) {
  nlohmann::json summary =
      summarize(evaluated.cases, named_endpoints(context.recipe));
  if (!evaluated.jitter_curve.empty()) {
    summary["jitter"] =
        summarize_jitter(evaluated.jitter_curve, IntervalOptions());
    write_cases(dir / kJitterFile, evaluated.jitter_curve);
  }
  if (!evaluated.dose.empty()) {
    summary["dose"] =
        summarize_dose(evaluated.cases, evaluated.dose, IntervalOptions());
    write_cases(dir / kDoseFile, evaluated.dose);
  }
  return summary;
}

}  // namespace

RunOutcome write_report_files(const RunContext& context, const Study& study,
                              const ReportData& data, Predictor& predictor,
                              const std::filesystem::path& dir) {
  const std::string cases_text = format_cases(data.evaluated.cases);
  const nlohmann::json summary = summarize_all(context, data.evaluated, dir);
  const std::string summary_text = format_summary(summary);
  ReportInput input;
  input.title = context.recipe.experiment.title;
  input.notices = notices(context, study, data);
  input.summary = summary;
  input.quality = data.quality;
  input.pictures = synthetic_pictures(context, study, data);
  for (auto& overlay_picture :
       overlay_pictures(context, study, data, predictor)) {
    input.pictures.push_back(std::move(overlay_picture));
  }
  input.provenance = provenance(context, study, data, sha256_hex(cases_text),
                                sha256_hex(summary_text));
  write_file_atomic(dir / kCasesFile, cases_text);
  write_file_atomic(dir / kSummaryFile, summary_text);
  write_file_atomic(dir / kReportFile, render_report(input));
  write_report_tables(data, summary, dir);
  RunOutcome outcome;
  outcome.report = dir / kReportFile;
  outcome.table = text_table(summary);
  return outcome;
}

nlohmann::json report_inputs(const RunContext& context,
                             const std::vector<Case>& cases) {
  return {{"version", kReportVersion},
          {"cases", sha256_hex(format_cases(cases))},
          {"options", context.options.results()}};
}

RunOutcome write_report(const RunContext& context, const Study& study,
                        const ReportData& data, Predictor& predictor) {
  nlohmann::json inputs = report_inputs(context, data.evaluated.cases);
  if (!data.quality.is_null()) inputs["quality"] = data.quality;
  const auto work = [&](const std::filesystem::path& dir) {
    nlohmann::json outputs;
    run_together(context.comm, [&] {
      if (!context.rank_zero()) return;
      outputs = {
          {"table",
           write_report_files(context, study, data, predictor, dir).table}};
    });
    return outputs;
  };
  const StageResult stage = context.stages.run("report", inputs, work);
  run_together(context.comm, [&] {
    if (!context.rank_zero()) return;
    copy_report(stage.dir, context.out);
    write_tensorboard(context.out, data);
  });
  RunOutcome outcome;
  outcome.report = context.out / kReportFile;
  outcome.table = stage.outputs.value("table", "");
  return outcome;
}

}  // namespace sono
