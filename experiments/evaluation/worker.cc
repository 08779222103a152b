#include "experiments/evaluation/worker.h"

#include <algorithm>
#include <functional>

#include "core/atomic_file.h"
#include "core/hash.h"
#include "data/csv.h"
#include "experiments/metrics/score.h"
#include "experiments/run_folder.h"

namespace sono {
namespace {

// Goes up when the meaning of a row changes.
constexpr int kEvaluationVersion = 2;

struct EvaluationCell {
  const Candidate* candidate;
  const StudyCohort* cohort;
  std::string prompt;
  int draw;
  int jitter_px;               // of gt-box
  bool on_curve;               // one more jitter, for the curve alone
  std::filesystem::path file;  // the result, named by the hash of its inputs
};

// How surfaces are measured, where it is not the default.
nlohmann::json surface_inputs(const ExperimentConfig& config) {
  const ExperimentConfig usual;
  nlohmann::json inputs = nlohmann::json::object();
  if (config.surface_convention != usual.surface_convention) {
    inputs["convention"] = config.surface_convention;
  }
  if (config.tolerance_px != usual.tolerance_px) {
    inputs["tolerance_px"] = config.tolerance_px;
  }
  if (config.tolerance_mm != usual.tolerance_mm) {
    inputs["tolerance_mm"] = config.tolerance_mm;
  }
  return inputs;
}

ScoreOptions score_options(const ExperimentConfig& config) {
  return {surface_convention(config.surface_convention), config.tolerance_px,
          config.tolerance_mm};
}

std::string cell_key(const RunContext& context, const Candidate& candidate,
                     const StudyCohort& entry, const std::string& prompt,
                     int draw, int jitter_px) {
  std::vector<std::string> images;
  for (std::size_t i : entry.test) images.push_back(entry.cohort->info(i).id);
  nlohmann::json inputs = {{"version", kEvaluationVersion},
                           {"arm", candidate.arm},
                           {"n_real", candidate.n_real.value_or(-1)},
                           {"seed", candidate.seed.value_or(-1)},
                           {"checkpoint", candidate.checkpoint_hash},
                           {"cohort", entry.name},
                           {"content", entry.content_hash},
                           {"images", images},
                           {"prompt", prompt},
                           {"draw", draw},
                           {"machine", context.machine}};
  // What came later stands here only where it differs from what was before.
  const Recipe& recipe = context.recipe;
  if (recipe.data.train.size() > 1) {
    inputs["train_cohort"] = candidate.train_cohort;
  }
  if (recipe.tune.frame != "fit") inputs["frame"] = recipe.tune.frame;
  if (prompt == "gt-box" && jitter_px != 19) inputs["jitter_px"] = jitter_px;
  if (const auto surface = surface_inputs(recipe.experiment);
      !surface.empty()) {
    inputs["surface"] = surface;
  }
  if (prompt == "detector") inputs["detector"] = candidate.detector_hash;
  return sha256_hex(inputs.dump()).substr(0, 24);
}

std::vector<EvaluationCell> cells_of(const RunContext& context,
                                     const Study& study,
                                     const std::vector<Candidate>& candidates,
                                     const std::filesystem::path& dir) {
  const ExperimentConfig& config = context.recipe.experiment;
  std::vector<EvaluationCell> cells;
  for (const Candidate& candidate : candidates) {
    for (const StudyCohort& entry : study.cohorts()) {
      if (entry.test.empty()) continue;
      const auto add = [&](const std::string& prompt, int jitter_px,
                           bool on_curve) {
        if (!candidate.answers(prompt)) return;
        // Only the jitter of the box varies from draw to draw.
        const int draws = prompt == "gt-box" ? config.draws : 1;
        for (int draw = 0; draw < draws; ++draw) {
          const auto key =
              cell_key(context, candidate, entry, prompt, draw, jitter_px);
          cells.push_back({&candidate, &entry, prompt, draw, jitter_px,
                           on_curve, dir / (key + ".csv")});
        }
      };
      for (const auto& prompt : config.prompts) {
        add(prompt, config.jitter_px, false);
      }
      if (candidate.on_dose_curve) continue;
      for (int jitter_px : config.jitter_curve) add("gt-box", jitter_px, true);
    }
  }
  return cells;
}

// What all rows of a cell share; the fields of the run are filled in on
// folding, so that a changed recipe finds its unchanged cells.
Case row_of(const EvaluationCell& cell) {
  const Candidate& candidate = *cell.candidate;
  Case row;
  row.arm = candidate.arm;
  row.train_cohort = candidate.train_cohort;
  row.n_real = candidate.n_real;
  row.n_synthetic = candidate.n_synthetic;
  row.subset_seed = row.train_seed = candidate.seed;
  if (!candidate.generator_hash.empty()) row.generator_seed = candidate.seed;
  row.generator_hash = candidate.generator_hash;
  row.checkpoint_hash = candidate.checkpoint_hash;
  row.updates = candidate.updates;
  row.train_prompt = candidate.train_prompt;
  row.prompt = cell.prompt;
  row.draw = cell.draw;
  row.jitter_px = cell.prompt == "gt-box" ? cell.jitter_px : 0;
  row.cohort = cell.cohort->name;
  return row;
}

void describe_image(const Sample& sample, Case& row) {
  row.exam = sample.exam;
  row.patient = sample.patient;
  row.stratum = stratum(sample.hc_reference_mm);
  row.image = sample.id;
  if (sample.spacing_x_mm > 0) {
    row.spacing_x = sample.spacing_x_mm;
    row.spacing_y = sample.spacing_y_mm;
  }
  if (sample.hc_reference_mm > 0) row.hc_reference_mm = sample.hc_reference_mm;
}

std::vector<Case> score_cell(const RunContext& context,
                             const EvaluationCell& cell, Predictor& predictor) {
  std::vector<Case> rows;
  for (std::size_t i : cell.cohort->test) {
    context.proceed();
    const Sample sample = cell.cohort->cohort->load(i);
    const PromptedMask prediction = predictor.predict(
        *cell.candidate, sample, cell.prompt, cell.draw, cell.jitter_px);
    Case row = row_of(cell);
    describe_image(sample, row);
    row.x0 = prediction.box.x0;
    row.y0 = prediction.box.y0;
    row.x1 = prediction.box.x1;
    row.y1 = prediction.box.y1;
    score_case(prediction.mask, sample.mask, row,
               score_options(context.recipe.experiment));
    rows.push_back(std::move(row));
  }
  return rows;
}

// "concat-n5-s0, hc18, frame", with the draw where there are several.
std::string name_of(const EvaluationCell& cell) {
  const Candidate& candidate = *cell.candidate;
  std::string name = candidate.arm;
  if (candidate.n_real) name += "-n" + std::to_string(*candidate.n_real);
  if (candidate.on_dose_curve) {
    name += "-k" + std::to_string(candidate.n_synthetic.value_or(0));
  }
  if (candidate.seed) name += "-s" + std::to_string(*candidate.seed);
  name += ", " + cell.cohort->name + ", " + cell.prompt;
  if (cell.prompt == "gt-box") name += ", draw " + std::to_string(cell.draw);
  if (cell.on_curve) name += ", jitter " + std::to_string(cell.jitter_px);
  return name;
}

bool is_done(const EvaluationCell& cell) {
  return std::filesystem::exists(cell.file);
}

std::vector<Case>& rows_for(const EvaluationCell& cell, Evaluated& evaluated) {
  if (cell.on_curve) return evaluated.jitter_curve;
  return cell.candidate->on_dose_curve ? evaluated.dose : evaluated.cases;
}

// The rows of the cells that are there.
Evaluated fold_cells(const RunContext& context,
                     const std::vector<EvaluationCell>& cells) {
  const std::string hash = config_hash(context.options);
  Evaluated evaluated;
  for (const auto& cell : cells) {
    if (!is_done(cell)) continue;
    for (auto& row : read_cases(cell.file)) {
      row.config_hash = hash;
      row.run_id = hash.substr(0, 12);
      row.recipe = context.recipe.experiment.title;
      rows_for(cell, evaluated).push_back(std::move(row));
    }
  }
  return evaluated;
}

// Rank 0 looks, so that all ranks agree.
bool all_done(const RunContext& context,
              const std::vector<EvaluationCell>& cells) {
  const bool done = std::all_of(cells.begin(), cells.end(), is_done);
  return broadcast_string(context.comm, done ? "done" : "missing") == "done";
}

void score_missing(const RunContext& context,
                   const std::vector<EvaluationCell>& cells,
                   Predictor& predictor, const std::filesystem::path& dir) {
  LeasedWork work;
  work.items = static_cast<std::int64_t>(cells.size());
  work.is_done = [&](std::int64_t i) { return is_done(cells[i]); };
  work.name = [&](std::int64_t i) { return cells[i].file.stem().string(); };
  work.work = [&](std::int64_t i) {
    write_cases(cells[i].file, score_cell(context, cells[i], predictor));
  };
  work.lease_folder = dir / "leases";
  share_out(context, Phase::kEvaluate, "evaluate", "cells", std::move(work));
}

}  // namespace

Evaluated evaluate(const RunContext& context, const Study& study,
                   const std::vector<Candidate>& candidates,
                   Predictor& predictor, const std::filesystem::path& dir,
                   const std::function<void()>& prepare) {
  const auto cells = cells_of(context, study, candidates, dir);
  run_together(context.comm, [&] { make_directories(dir); });
  if (!all_done(context, cells)) {
    prepare();
    score_missing(context, cells, predictor, dir);
  }
  Evaluated evaluated;
  run_together(context.comm, [&] { evaluated = fold_cells(context, cells); });
  return evaluated;
}

std::size_t score_ready(const RunContext& context, const Study& study,
                        const std::vector<Candidate>& candidates,
                        Predictor& predictor,
                        const std::filesystem::path& dir) {
  const auto cells = cells_of(context, study, candidates, dir);
  const auto missing = static_cast<std::size_t>(
      std::count_if(cells.begin(), cells.end(), std::not_fn(is_done)));
  if (missing == 0) return 0;
  make_directories(dir);
  score_missing(context, cells, predictor, dir);
  return missing;
}

FoldedCells fold_ready(const RunContext& context, const Study& study,
                       const std::vector<Candidate>& candidates,
                       const std::filesystem::path& dir) {
  const auto cells = cells_of(context, study, candidates, dir);
  FoldedCells folded;
  folded.rows = fold_cells(context, cells);
  folded.cells = cells.size();
  for (const EvaluationCell& cell : cells) {
    if (!is_done(cell)) folded.missing.push_back(name_of(cell));
  }
  return folded;
}

std::string cell_provenance(const RunContext& context, const Study& study,
                            const std::vector<Candidate>& candidates,
                            const std::filesystem::path& dir) {
  std::string text =
      "cohort,prompt,draw,arm,train_cohort,n_real,seed,file,file_sha256,"
      "checkpoint_sha256,dataset_hash,detector_sha256,cohort_hash\n";
  const auto number = [](const std::optional<std::int64_t>& value) {
    return value ? std::to_string(*value) : std::string();
  };
  for (const auto& cell : cells_of(context, study, candidates, dir)) {
    if (!is_done(cell)) continue;
    const Candidate& c = *cell.candidate;
    const bool detector = cell.prompt == "detector";
    std::string row;
    for (const std::string& field :
         {cell.cohort->name, cell.prompt, std::to_string(cell.draw), c.arm,
          c.train_cohort, number(c.n_real), number(c.seed),
          cell.file.filename().string(), sha256_file(cell.file),
          c.checkpoint_hash, c.generator_hash,
          detector ? c.detector_hash : std::string(),
          cell.cohort->content_hash}) {
      row += (row.empty() ? "" : ",") + quote_csv(field);
    }
    text += row + "\n";
  }
  return text;
}

}  // namespace sono
