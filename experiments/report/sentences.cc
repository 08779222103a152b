#include "experiments/report/sentences.h"

#include <algorithm>

#include "experiments/report/named_section.h"
#include "experiments/report/panel.h"
#include "experiments/report/text.h"

namespace sono {
namespace {

using nlohmann::json;

std::string counts_of(const json& row) {
  return plural(row["n_pairs"].get<int>(), "pair") + " of images and seeds, " +
         plural(row["n_exams"].get<int>(), "exam") + ", " +
         plural(row["n_seeds"].get<int>(), "seed");
}

std::string conclusion(const std::string& verdict, const std::string& treatment,
                       const std::string& control) {
  if (verdict == "better") {
    return "The interval lies above zero: " + treatment + " is better than " +
           control + " here.";
  }
  if (verdict == "worse") {
    return "The interval lies below zero: " + treatment + " is worse than " +
           control + " here.";
  }
  if (verdict == "no interval") {
    return "One exam gives no interval, so nothing follows from it.";
  }
  return "The interval crosses zero: a null result, no difference between " +
         treatment + " and " + control + " is shown.";
}

std::string endpoint_sentence(const json& endpoint) {
  if (endpoint["status"] != "done") {
    return "The endpoint named before the experiment could not be computed: " +
           endpoint["reason"].get<std::string>() + ".";
  }
  const json& difference = endpoint["difference"];
  const double points = difference["mean"].get<double>() * 100;
  const std::string treatment = endpoint["treatment"];
  const std::string control = endpoint["control"];
  const std::string interval = show_interval(difference, 100, 1);
  return "Endpoint named before the experiment: with " +
         plural(endpoint["n_real"].get<std::int64_t>(), "real image") +
         " and the prompt " + endpoint["prompt"].get<std::string>() + ", " +
         treatment + " minus " + control + " is " + with_sign(points, 1) +
         " Dice points on " + endpoint["cohort"].get<std::string>() +
         (interval.empty() ? "" : ", 95 % interval " + interval) + " (" +
         counts_of(endpoint) + "), permutation test over exams p " +
         show_p(endpoint["p"]) + ", after Holm over the named comparisons " +
         show_p(endpoint["p_holm"]) + ". " +
         conclusion(endpoint["verdict"], treatment, control);
}

struct Best {
  std::string arm;
  double dice = -1;
};

// The arm of the highest mean Dice, among the blind baselines or the others.
Best best_of(const Panel& panel, bool blind) {
  Best best;
  for (const json& cell : panel.cells) {
    const std::string arm = cell["arm"];
    if (is_blind_baseline(arm) != blind) continue;
    if (!cell["metrics"].contains("dice")) continue;
    const double dice = cell["metrics"]["dice"]["mean"];
    if (dice > best.dice) best = {arm, dice};
  }
  return best;
}

// How near rules that never see the image come under one prompt; "" when they
// were not scored.
std::string blind_sentence(const std::vector<Panel>& panels,
                           const std::string& prompt) {
  std::string found;
  for (const Panel& panel : panels) {
    if (panel.prompt != prompt) continue;
    const Best blind = best_of(panel, true), other = best_of(panel, false);
    if (blind.dice < 0 || other.dice < 0) continue;
    found += (found.empty() ? "" : "; ") + fixed(blind.dice * 100, 1) + " (" +
             blind.arm + ") against " + fixed(other.dice * 100, 1) + " (" +
             other.arm + ") on " + panel.cohort;
  }
  if (found.empty()) return "";
  return "Prompt " + prompt +
         ", the best rule that never sees the image against the best arm that "
         "does, mean Dice: " +
         found + ".";
}

// One sentence a prompt, in reading order.
std::vector<std::string> blind_sentences(const std::vector<Panel>& panels) {
  std::vector<std::string> prompts, sentences;
  for (const Panel& panel : panels) {
    if (std::ranges::find(prompts, panel.prompt) != prompts.end()) continue;
    prompts.push_back(panel.prompt);
    sentences.push_back(blind_sentence(panels, panel.prompt));
  }
  return sentences;
}

double dice_of(const json& cell) {
  const json& metrics = cell["metrics"];
  return metrics.contains("dice") ? metrics["dice"]["mean"].get<double>() : -1;
}

// How much of the way from none to the ceiling the arms of a panel come at the
// endpoint's N; "" without both, or where there is no way to go.
std::string ceiling_sentence(const Panel& panel, std::int64_t n_real) {
  const json* none = panel.find("none", n_real);
  const json* ceiling = nullptr;
  for (const json& cell : panel.cells) {
    if (cell["arm"] == "real-100") ceiling = &cell;
  }
  if (none == nullptr || ceiling == nullptr) return "";
  const double start = dice_of(*none), way = dice_of(*ceiling) - start;
  std::string arms;
  for (const json& cell : panel.cells) {
    const std::string arm = cell["arm"];
    if (cell["n_real"] != n_real || arm == "none" || arm == "real-100" ||
        is_blind_baseline(arm) || way <= 0) {
      continue;
    }
    arms += (arms.empty() ? "" : ", ") + arm + " " +
            fixed((dice_of(cell) - start) / way * 100, 0) + " %";
  }
  const std::string where = panel.cohort + ", prompt " + panel.prompt +
                            ", trained on " + panel.train_cohort + ": ";
  if (way <= 0) {
    return where + plural(n_real, "real image") + " alone reach " +
           fixed(start * 100, 1) + " Dice, the ceiling of " +
           ceiling->at("n_real").dump() + " no more (" +
           fixed((start + way) * 100, 1) + "): there is no gap to close.";
  }
  if (arms.empty()) return "";
  return where + "of the " + fixed(way * 100, 1) + " Dice points from " +
         plural(n_real, "real image") + " to " + ceiling->at("n_real").dump() +
         ", the arms close " + arms + ".";
}

std::vector<std::string> ceiling_sentences(const std::vector<Panel>& panels,
                                           const json& endpoint) {
  std::vector<std::string> sentences;
  if (!endpoint.contains("n_real")) return sentences;
  for (const Panel& panel : panels) {
    if (panel.prompt != endpoint["prompt"]) continue;
    sentences.push_back(ceiling_sentence(panel, endpoint["n_real"]));
  }
  return sentences;
}

std::string exploratory_sentence(const json& comparisons) {
  if (comparisons.empty()) return "";
  const auto count = [&](const char* verdict) {
    return std::ranges::count_if(comparisons, [&](const json& row) {
      return row["verdict"] == verdict;
    });
  };
  const auto total = static_cast<std::int64_t>(comparisons.size());
  return "Of " + plural(total, "exploratory comparison") + ", " +
         std::to_string(count("better")) + " have an interval above zero, " +
         std::to_string(count("worse")) + " below, and " +
         std::to_string(total - count("better") - count("worse")) +
         " show no difference. They are not corrected for their number.";
}

std::string failure_sentence(const json& cells) {
  std::int64_t failures = 0, cases = 0;
  for (const json& cell : cells) {
    failures += cell["failures"].get<std::int64_t>();
    cases += cell["n_cases"].get<std::int64_t>();
  }
  if (cases == 0) return "";
  return std::to_string(failures) + " of " + plural(cases, "prediction") +
         " are empty; each counts as Dice 0 with the image's diagonal as "
         "distance.";
}

std::string seed_sentence(const json& summary) {
  int num_seeds = 0;
  for (const json& cell : summary["cells"]) {
    num_seeds = std::max(num_seeds, cell["n_seeds"].get<int>());
  }
  if (num_seeds == 0 || num_seeds >= 5) return "";
  return "With " + plural(num_seeds, "seed") +
         " the spread between seeds is hardly known: read the intervals as too "
         "narrow.";
}

}  // namespace

std::vector<std::string> verdict_sentences(const json& summary) {
  std::vector<std::string> sentences{endpoint_sentence(summary["endpoint"])};
  for (const std::string& sentence : secondary_sentences(summary)) {
    sentences.push_back(sentence);
  }
  const std::vector<Panel> panels = make_panels(summary);
  for (const std::string& sentence : blind_sentences(panels)) {
    sentences.push_back(sentence);
  }
  for (const std::string& sentence :
       ceiling_sentences(panels, summary["endpoint"])) {
    sentences.push_back(sentence);
  }
  sentences.push_back(exploratory_sentence(summary["comparisons"]));
  sentences.push_back(failure_sentence(summary["cells"]));
  sentences.push_back(seed_sentence(summary));
  std::erase(sentences, "");
  return sentences;
}

}  // namespace sono
