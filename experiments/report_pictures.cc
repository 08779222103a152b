#include "experiments/report_pictures.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>
#include <string_view>

#include "core/atomic_file.h"
#include "data/contact_sheet.h"
#include "data/image_file.h"
#include "experiments/arm_images.h"

namespace sono {
namespace {

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

}  // namespace

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
  const ExperimentConfig& config = context.recipe.experiment;
  for (const auto& [label, stage] : data.datasets) {
    // Of each generator one seed, so that the page does not grow with them.
    if (!label.ends_with("-s" + std::to_string(config.first_seed))) continue;
    const std::string caption =
        gate_caption(stage.outputs) +
        (config.seeds > 1
             ? " Of the first seed; the others' pictures are in their stages."
             : "");
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

namespace {

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

// kColumns of the rows, which are sorted from worst to best: the worst ones,
// the best ones downwards, or those around the median upwards.
std::vector<const Case*> choose(const std::vector<const Case*>& rows,
                                std::string_view which) {
  const std::size_t count = std::min<std::size_t>(kColumns, rows.size());
  std::size_t first = 0;
  if (which == "best") first = rows.size() - count;
  if (which == "median") first = (rows.size() - count) / 2;
  const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(first);
  std::vector<const Case*> chosen(begin,
                                  begin + static_cast<std::ptrdiff_t>(count));
  if (which == "best") std::reverse(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace

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
    for (const char* which : {"best", "median", "worst"}) {
      std::vector<ContactTile> tiles;
      for (const Case* row : choose(rows, which)) {
        const Candidate* candidate = candidate_of(*row, data.candidates);
        if (candidate) {
          tiles.push_back(overlay(*row, entry, *candidate, predictor));
        }
      }
      if (tiles.empty()) continue;
      pictures.push_back(picture(
          "Best, median and worst", entry.name + ", " + which,
          "Arm " + arm + ", N = " + std::to_string(n_real) + ", prompt " +
              prompt + ". Green: reference; orange: prediction.",
          tiles));
    }
  }
  return pictures;
}

}  // namespace sono
