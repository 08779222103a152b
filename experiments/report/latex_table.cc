#include "experiments/report/latex_table.h"

#include "experiments/report/panel.h"
#include "experiments/report/text.h"

namespace sono {
namespace {

using nlohmann::json;

std::string number_of_images(std::int64_t n_real) {
  return n_real == 0 ? "--" : std::to_string(n_real);
}

std::string row_of(const std::string& arm, std::int64_t n_real,
                   const json& cell) {
  std::string dice = "--";
  if (cell["metrics"].contains("dice")) {
    dice = show_mean(cell, "dice", 100, 1) + " & " +
           show_interval(cell["metrics"]["dice"], 100, 1);
  } else {
    dice += " &";
  }
  return escape_latex(arm) + " & " + number_of_images(n_real) + " & " +
         std::to_string(cell["n_images"].get<int>()) + " & " + dice + " & " +
         show_hd95(cell) + " & " + show_mean(cell, "hc_abs_error_pct", 1, 1) +
         " & " + std::to_string(cell["failures"].get<int>()) + " \\\\\n";
}

std::string table_of(const Panel& panel) {
  std::string caption = "Cohort " + panel.cohort + ", prompt " + panel.prompt;
  if (!panel.train_cohort.empty()) {
    caption += ", trained on " + panel.train_cohort;
  }
  std::string text =
      "\\begin{table}\n\\centering\n"
      "\\caption{" +
      escape_latex(caption) +
      ". Dice $\\times$ 100, mean over images with its 95\\,\\% interval, "
      "clustered by exam; mean absolute error of the head circumference.}\n"
      "\\begin{tabular}{lrrrlrrr}\n\\toprule\n"
      "Arm & $N$ real & Images & Dice & [95\\,\\%] & HD95 & HC error, \\% & "
      "Missed \\\\\n\\midrule\n";
  for (const std::string& arm : panel.arms) {
    for (const std::int64_t n_real : panel.n_reals) {
      const json* cell = panel.find(arm, n_real);
      if (cell) text += row_of(arm, n_real, *cell);
    }
  }
  return text + "\\bottomrule\n\\end{tabular}\n\\end{table}\n";
}

}  // namespace

std::string latex_tables(const json& summary) {
  std::string text = "% \\usepackage{booktabs}\n";
  for (const Panel& panel : make_panels(summary)) {
    text += "\n" + table_of(panel);
  }
  return text;
}

std::string escape_latex(const std::string& text) {
  std::string escaped;
  for (char c : text) {
    switch (c) {
      case '&':
      case '%':
      case '$':
      case '#':
      case '_':
      case '{':
      case '}':
        escaped += std::string("\\") + c;
        break;
      case '\\':
        escaped += "\\textbackslash{}";
        break;
      case '~':
        escaped += "\\textasciitilde{}";
        break;
      case '^':
        escaped += "\\textasciicircum{}";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

}  // namespace sono
