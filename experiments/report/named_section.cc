#include "experiments/report/named_section.h"

#include "experiments/report/text.h"

namespace sono {
namespace {

using nlohmann::json;

struct MetricText {
  const char* name;
  const char* title;
  const char* unit;
  double scale;
  int decimals;
};

constexpr MetricText kMetrics[] = {
    {"dice", "Dice", "Dice points", 100, 1},
    {"hc_abs_error_pct", "absolute HC error", "% of HC", 1, 2},
    {"hc_abs_error_mm", "absolute HC error", "mm", 1, 2},
    {"nsd_mm", "surface Dice", "points", 100, 1},
    {"hd95_mm", "HD95", "mm", 1, 2},
    {"assd_mm", "ASSD", "mm", 1, 2},
};

// Other metrics are shown as they stand in the summary.
MetricText text_of(const json& comparison) {
  const std::string& name = comparison["metric"].get_ref<const std::string&>();
  for (const MetricText& metric : kMetrics) {
    if (name == metric.name) return metric;
  }
  return {name.c_str(), name.c_str(), "", 1, 3};
}

std::string cell(const std::string& text) {
  return "<td>" + escape_html(text) + "</td>";
}

std::string test_text(const json& test) {
  return show_p(test["p"]) + " (" + test["method"].get<std::string>() + ")";
}

std::string done_row(const json& row) {
  const json& tests = row["tests"];
  return cell(show_difference(row)) + cell(test_text(tests["permutation"])) +
         "<td><b>" + escape_html(show_p(row["p_holm"])) + "</b></td>" +
         cell(test_text(tests["wilcoxon"])) + cell(show_p(tests["t"]["p"])) +
         cell(row["verdict"].get<std::string>());
}

std::string render_row(const json& row) {
  const bool done = row["status"] == "done";
  std::string text = "<tr><th scope=\"row\">" +
                     escape_html(row["role"].get<std::string>()) + "</th>" +
                     cell(text_of(row).title) +
                     cell(row["cohort"].get<std::string>()) +
                     cell(row["prompt"].get<std::string>());
  text += done ? done_row(row)
               : "<td colspan=\"6\" class=\"soft\">not computed: " +
                     escape_html(row["reason"].get<std::string>()) + "</td>";
  return text + "</tr>\n";
}

const char kHead[] =
    "<tr><th>role</th><th>metric</th><th>cohort</th><th>prompt</th>"
    "<th>difference, 95 % interval</th><th>p, permutation</th>"
    "<th>p, Holm</th><th>p, Wilcoxon</th><th>p, t</th><th>shown</th></tr>";

std::string explanation(const json& named) {
  return "<p>Paired by image and seed. The tests are of the exams' mean "
         "differences, two-sided, and take the seeds as given; the interval "
         "holds their spread too. Holm's correction is over these " +
         std::to_string(named.size()) +
         " comparisons alone; one that was not computed counts as p = 1.</p>\n";
}

}  // namespace

std::string show_p(double p) {
  return p < 0.0001 ? "<0.0001" : fixed(p, p < 0.01 ? 4 : 3);
}

std::string show_difference(const json& comparison) {
  const MetricText metric = text_of(comparison);
  const json& difference = comparison["difference"];
  std::string text = with_sign(difference["mean"].get<double>() * metric.scale,
                               metric.decimals);
  for (const std::string& part :
       {show_interval(difference, metric.scale, metric.decimals),
        std::string(metric.unit)}) {
    if (!part.empty()) text += " " + part;
  }
  return text;
}

std::string render_named(const json& summary) {
  const json& named = summary["named"];
  if (named.size() == 1 && named[0]["status"] != "done") return "";
  std::string rows;
  for (const json& row : named) rows += render_row(row);
  const json& endpoint = named[0];
  std::string title = "Comparisons named beforehand";
  if (endpoint["status"] == "done") {
    title += ": " + endpoint["treatment"].get<std::string>() + " minus " +
             endpoint["control"].get<std::string>() + ", " +
             plural(endpoint["n_real"].get<std::int64_t>(), "real image");
  }
  return "<h2>" + escape_html(title) + "</h2>\n" + explanation(named) +
         "<div class=\"scroll\"><table><thead>" + kHead + "</thead><tbody>\n" +
         rows + "</tbody></table></div>\n";
}

std::vector<std::string> secondary_sentences(const json& summary) {
  std::vector<std::string> sentences;
  for (const json& row : summary["named"]) {
    if (row["role"] != "secondary") continue;
    const std::string what = "Secondary, " + std::string(text_of(row).title) +
                             " on " + row["cohort"].get<std::string>() +
                             ", prompt " + row["prompt"].get<std::string>() +
                             ": ";
    if (row["status"] != "done") {
      sentences.push_back(what + "not computed.");
      continue;
    }
    sentences.push_back(what + row["treatment"].get<std::string>() + " minus " +
                        row["control"].get<std::string>() + " is " +
                        show_difference(row) + ", p " + show_p(row["p"]) +
                        ", after Holm " + show_p(row["p_holm"]) + " (" +
                        row["verdict"].get<std::string>() + ").");
  }
  return sentences;
}

}  // namespace sono
