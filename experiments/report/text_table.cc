#include "experiments/report/text_table.h"

#include <array>

#include "experiments/report/panel.h"
#include "experiments/report/sentences.h"
#include "experiments/report/text.h"

namespace sono {
namespace {

using nlohmann::json;

constexpr int kNumColumns = 10;
using Row = std::array<std::string, kNumColumns>;

constexpr std::array<int, kNumColumns> kWidths{20, 6, 7, 6, 6, 22, 10, 5, 9, 8};

// Cut to `width`, so that a long name cannot break the table.
std::string cell_text(const std::string& text, int width, bool left) {
  const std::string shown = text.substr(0, static_cast<std::size_t>(width));
  const std::string pad(static_cast<std::size_t>(width) - shown.size(), ' ');
  return left ? shown + pad : pad + shown;
}

std::string line(const Row& row) {
  std::string text;
  for (int i = 0; i < kNumColumns; ++i) {
    text += (i == 0 ? "  " : " ") + cell_text(row[i], kWidths[i], i == 0);
  }
  return text + '\n';
}

std::string dice_text(const json& cell) {
  if (!cell["metrics"].contains("dice")) return "-";
  const json& dice = cell["metrics"]["dice"];
  const std::string interval = show_interval(dice, 100, 1);
  return show_mean(cell, "dice", 100, 1) +
         (interval.empty() ? std::string(13, ' ')
                           : " " + cell_text(interval, 13, false));
}

Row row_of(const std::string& arm, std::int64_t n_real, const json& cell) {
  return {arm,
          std::to_string(n_real),
          std::to_string(cell["n_images"].get<int>()),
          std::to_string(cell["n_exams"].get<int>()),
          std::to_string(cell["n_seeds"].get<int>()),
          dice_text(cell),
          show_hd95(cell),
          show_nsd(cell),
          show_mean(cell, "hc_abs_error_pct", 1, 1),
          std::to_string(cell["failures"].get<int>())};
}

std::string panel_text(const Panel& panel) {
  std::string text = panel.cohort + ", prompt " + panel.prompt;
  if (!panel.train_cohort.empty()) text += ", trained on " + panel.train_cohort;
  text = text.substr(0, 110) + "\n";
  text += line({"arm", "N real", "images", "exams", "seeds",
                "Dice x 100 [95 %]", "HD95", "NSD", "HC err %", "missed"});
  for (const std::string& arm : panel.arms) {
    for (const std::int64_t n_real : panel.n_reals) {
      const json* cell = panel.find(arm, n_real);
      if (cell) text += line(row_of(arm, n_real, *cell));
    }
  }
  return text + '\n';
}

// Breaks at spaces so that no line is longer than 110 columns.
std::string wrap(const std::string& sentence) {
  constexpr std::size_t kWidth = 110;
  std::string text, rest = sentence;
  while (rest.size() > kWidth) {
    const std::size_t space = rest.rfind(' ', kWidth);
    const std::size_t cut = space == rest.npos || space == 0 ? kWidth : space;
    text += rest.substr(0, cut) + '\n';
    rest = rest.substr(cut + (rest[cut] == ' ' ? 1 : 0));
  }
  return text + rest + '\n';
}

}  // namespace

std::string text_table(const json& summary) {
  std::string text;
  for (const Panel& panel : make_panels(summary)) text += panel_text(panel);
  if (text.empty()) text = "No case has been scored yet.\n\n";
  for (const std::string& sentence : verdict_sentences(summary)) {
    text += wrap(sentence);
  }
  return text;
}

}  // namespace sono
