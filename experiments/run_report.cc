#include "experiments/run_report.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <set>

#include "core/atomic_file.h"
#include "core/hash.h"
#include "data/contact_sheet.h"
#include "data/image_file.h"
#include "data/split.h"
#include "experiments/arm_images.h"
#include "experiments/leaks/leak_check.h"
#include "experiments/named_endpoints.h"
#include "experiments/report/dose_section.h"
#include "experiments/report/html_report.h"
#include "experiments/report/jitter_section.h"
#include "experiments/report/summary.h"
#include "experiments/report/text_table.h"
#include "experiments/run_folder.h"

namespace sono {
namespace {

// Goes up when the report of equal cases changes.
constexpr int kReportVersion = 4;
constexpr char kCasesFile[] = "cases.csv";
constexpr char kJitterFile[] = "jitter.csv";
constexpr char kDoseFile[] = "dose.csv";
constexpr char kSummaryFile[] = "summary.json";
constexpr char kReportFile[] = "report.html";

constexpr int kColumns = 4;
const cv::Size kTile(240, 165);
const cv::Scalar kReferenceColour(80, 220, 120);
const cv::Scalar kPredictionColour(255, 160, 0);

ReportPicture picture(const std::string& group, const std::string& title,
                      const std::string& caption,
                      const std::vector<ContactTile>& tiles) {
  return {title, caption, encode_png(contact_sheet(tiles, kColumns, kTile)),
          group};
}

std::vector<ContactTile> real_tiles(const Study& study,
                                    const std::string& cohort, int count) {
  std::vector<ContactTile> tiles;
  const StudyCohort& training = study.cohort(cohort);
  for (std::size_t i : training.train) {
    if (static_cast<int>(tiles.size()) == count) break;
    const Sample sample = training.cohort->load(i);
    tiles.push_back({sample.image, sample.mask, kReferenceColour, sample.id});
  }
  return tiles;
}

// "The quality gate accepted 14 of 16 pairs. Rejected: skull 2."
std::string gate_caption(const nlohmann::json& outputs) {
  std::string text = "The quality gate accepted " +
                     outputs.at("accepted").dump() + " of " +
                     outputs.at("count").dump() + " pairs.";
  std::string reasons;
  for (const auto& [kind, count] : outputs.at("reasons").items()) {
    reasons += (reasons.empty() ? " Rejected: " : ", ") + kind + count.dump();
  }
  return text + reasons + (reasons.empty() ? "" : ".");
}

// Real heads, phantoms, and the accepted pairs of each generator.
std::vector<ReportPicture> synthetic_pictures(const RunContext& context,
                                              const Study& study,
                                              const ReportData& data) {
  const std::string group = "Real beside synthetic";
  std::vector<ReportPicture> pictures;
  for (const auto& cohort : context.recipe.data.train) {
    pictures.push_back(picture(group, "Real heads of " + cohort,
                               "Training images with their reference contour.",
                               real_tiles(study, cohort, kColumns)));
  }
  std::vector<ContactTile> phantoms;
  for (std::uint64_t i = 0; i < kColumns; ++i) {
    const Sample sample =
        phantom_sample(context.recipe.experiment, kArmPhantoms, i);
    phantoms.push_back(
        {sample.image, sample.mask, kReferenceColour, sample.id});
  }
  pictures.push_back(
      picture(group, "Phantoms", "What the simulator alone makes.", phantoms));
  for (const auto& [label, stage] : data.datasets) {
    const std::string caption = gate_caption(stage.outputs);
    const auto accepted = stage.outputs.at("accepted").get<int>();
    const auto rejected = stage.outputs.at("count").get<int>() - accepted;
    for (const auto& [pile, count] :
         {std::pair("accepted", accepted), std::pair("rejected", rejected)}) {
      if (count == 0) continue;
      const std::string bytes =
          read_file(stage.dir / (std::string(pile) + ".png"));
      pictures.push_back(
          {label + ", " + pile, caption, {bytes.begin(), bytes.end()}, group});
    }
  }
  return pictures;
}

// The candidate a row was scored with.
const Candidate* candidate_of(const Case& row,
                              const std::vector<Candidate>& candidates) {
  for (const Candidate& candidate : candidates) {
    if (candidate.arm == row.arm && candidate.n_real == row.n_real &&
        candidate.seed == row.train_seed &&
        candidate.train_cohort == row.train_cohort) {
      return &candidate;
    }
  }
  return nullptr;
}

// The image in RGB with the contour of its reference mask.
cv::Mat draw_reference(const Sample& sample) {
  cv::Mat picture;
  cv::cvtColor(sample.image, picture, cv::COLOR_GRAY2RGB);
  std::vector<std::vector<cv::Point>> contours;
  cv::findContours(sample.mask, contours, cv::RETR_EXTERNAL,
                   cv::CHAIN_APPROX_NONE);
  cv::drawContours(picture, contours, -1, kReferenceColour, 3);
  return picture;
}

ContactTile overlay(const Case& row, const StudyCohort& entry,
                    const Candidate& candidate, Predictor& predictor) {
  for (std::size_t i : entry.test) {
    if (entry.cohort->info(i).id != row.image) continue;
    const Sample sample = entry.cohort->load(i);
    const cv::Mat mask = predictor
                             .predict(candidate, sample, row.prompt,
                                      static_cast<int>(row.draw.value_or(0)))
                             .mask;
    // The reference is burned in first; the sheet draws the prediction.
    const cv::Mat with_reference = draw_reference(sample);
    char caption[64];
    std::snprintf(caption, sizeof(caption), "Dice %.3f  %.32s",
                  row.dice.value_or(0), row.image.c_str());
    return {with_reference, mask, kPredictionColour, caption};
  }
  return {};
}

// Best and worst images of each cohort under one arm and prompt.
std::vector<ReportPicture> overlay_pictures(const RunContext& context,
                                            const Study& study,
                                            const ReportData& data,
                                            Predictor& predictor) {
  const ExperimentConfig& config = context.recipe.experiment;
  const std::string arm = config.arms.back();
  const int n_real =
      arm == kCeilingArm ? config.ceiling_images : config.n_real.front();
  const std::string prompt = config.prompts.back();
  std::vector<ReportPicture> pictures;
  for (const StudyCohort& entry : study.cohorts()) {
    if (entry.test.empty()) continue;
    std::vector<const Case*> rows;
    for (const Case& row : data.evaluated.cases) {
      if (row.cohort == entry.name && row.arm == arm && row.prompt == prompt &&
          row.n_real == n_real && row.dice &&
          row.train_cohort == context.recipe.data.train.front() &&
          row.train_seed == static_cast<std::int64_t>(config.first_seed) &&
          row.draw.value_or(0) == 0) {
        rows.push_back(&row);
      }
    }
    std::stable_sort(rows.begin(), rows.end(), [](auto* a, auto* b) {
      return std::tie(*a->dice, a->image) < std::tie(*b->dice, b->image);
    });
    for (const bool best : {true, false}) {
      std::vector<ContactTile> tiles;
      for (int i = 0; i < kColumns && i < static_cast<int>(rows.size()); ++i) {
        const Case& row = *(best ? rows[rows.size() - 1 - i] : rows[i]);
        const Candidate* candidate = candidate_of(row, data.candidates);
        if (candidate) {
          tiles.push_back(overlay(row, entry, *candidate, predictor));
        }
      }
      pictures.push_back(picture(
          "Best and worst", entry.name + (best ? ", best" : ", worst"),
          "Arm " + arm + ", N = " + std::to_string(n_real) + ", prompt " +
              prompt + ". Green: reference; orange: prediction.",
          tiles));
    }
  }
  return pictures;
}

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
  return {
      {"version", SONO_VERSION},      {"config", config_hash(context.options)},
      {"machine", context.machine},   {"cohorts", cohorts},
      {"leaks", data.leaks},          {"synthetic data sets", datasets},
      {"segmenter weights", weights}, {"cases.csv", cases_hash},
      {"summary.json", summary_hash}, {"options", context.options.results()}};
}

// Writes the three files into `dir`; returns the text table.
std::string write_files(const RunContext& context, const Study& study,
                        const ReportData& data, const std::string& cases_text,
                        Predictor& predictor,
                        const std::filesystem::path& dir) {
  nlohmann::json summary =
      summarize(data.evaluated.cases, named_endpoints(context.recipe));
  if (!data.evaluated.jitter_curve.empty()) {
    summary["jitter"] =
        summarize_jitter(data.evaluated.jitter_curve, IntervalOptions());
    write_cases(dir / kJitterFile, data.evaluated.jitter_curve);
  }
  if (!data.evaluated.dose.empty()) {
    summary["dose"] = summarize_dose(data.evaluated.cases, data.evaluated.dose,
                                     IntervalOptions());
    write_cases(dir / kDoseFile, data.evaluated.dose);
  }
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
  return text_table(summary);
}

}  // namespace

nlohmann::json report_inputs(const RunContext& context,
                             const std::vector<Case>& cases) {
  return {{"version", kReportVersion},
          {"cases", sha256_hex(format_cases(cases))},
          {"options", context.options.results()}};
}

RunOutcome write_report(const RunContext& context, const Study& study,
                        const ReportData& data, Predictor& predictor) {
  const std::string cases_text = format_cases(data.evaluated.cases);
  nlohmann::json inputs = report_inputs(context, data.evaluated.cases);
  if (!data.quality.is_null()) inputs["quality"] = data.quality;
  const auto work = [&](const std::filesystem::path& dir) {
    nlohmann::json outputs;
    run_together(context.comm, [&] {
      if (!context.rank_zero()) return;
      outputs = {{"table", write_files(context, study, data, cases_text,
                                       predictor, dir)}};
    });
    return outputs;
  };
  const StageResult stage = context.stages.run("report", inputs, work);
  run_together(context.comm, [&] {
    if (!context.rank_zero()) return;
    for (const char* name : {kCasesFile, kSummaryFile, kReportFile}) {
      write_file_atomic(context.out / name, read_file(stage.dir / name));
    }
    for (const char* name : {kJitterFile, kDoseFile}) {
      if (!std::filesystem::exists(stage.dir / name)) continue;
      write_file_atomic(context.out / name, read_file(stage.dir / name));
    }
  });
  RunOutcome outcome;
  outcome.report = context.out / kReportFile;
  outcome.table = stage.outputs.value("table", "");
  return outcome;
}

}  // namespace sono
