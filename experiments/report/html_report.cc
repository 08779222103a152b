#include "experiments/report/html_report.h"

#include <algorithm>
#include <set>

#include "experiments/report/agreement_section.h"
#include "experiments/report/chart.h"
#include "experiments/report/dose_section.h"
#include "experiments/report/jitter_section.h"
#include "experiments/report/named_section.h"
#include "experiments/report/panel.h"
#include "experiments/report/quality_section.h"
#include "experiments/report/sentences.h"
#include "experiments/report/sort_script.h"
#include "experiments/report/style.h"
#include "experiments/report/text.h"

namespace sono {
namespace {

using nlohmann::json;

std::string element(const char* name, const std::string& inner) {
  return std::string("<") + name + ">" + inner + "</" + name + ">\n";
}

std::string element(const char* name, const char* css_class,
                    const std::string& inner) {
  return std::string("<") + name + " class=\"" + css_class + "\">" + inner +
         "</" + name + ">\n";
}

// A table that scrolls sideways, by the keyboard too.
std::string scrolling_table(const std::string& name, const std::string& head,
                            const std::string& rows) {
  return "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" +
         name + "\">" +
         element("table", element("thead", element("tr", head)) +
                              element("tbody", rows)) +
         "</div>\n";
}

std::string key_of(const std::string& arm) {
  return "<span class=\"key " + arm_class(arm) + "\"></span>" +
         escape_html(arm);
}

std::string escape_field(const json& row, const char* name) {
  return escape_html(row[name].get<std::string>());
}

std::string panel_title(const Panel& panel) {
  std::string text = panel.cohort + ", prompt " + panel.prompt;
  if (!panel.train_cohort.empty()) text += ", trained on " + panel.train_cohort;
  return escape_html(text);
}

std::string render_endpoint(const json& summary) {
  const json& endpoint = summary["endpoint"];
  const std::string sentence =
      element("p", escape_html(verdict_sentences(summary).front()));
  if (endpoint["status"] != "done") return element("div", "card", sentence);
  const json& difference = endpoint["difference"];
  const std::string figure =
      with_sign(difference["mean"].get<double>() * 100, 1) +
      "<small>Dice points, " + escape_field(endpoint, "treatment") + " minus " +
      escape_field(endpoint, "control") + "</small>" +
      interval_bar(difference, axis_limit({{"comparisons", json::array()},
                                           {"endpoint", endpoint}}));
  return element("div", "card verdict",
                 element("div", "figure", figure) + sentence);
}

std::string render_findings(const json& summary) {
  const auto sentences = verdict_sentences(summary);
  std::string items;
  for (std::size_t i = 1; i < sentences.size(); ++i) {
    items += element("li", escape_html(sentences[i]));
  }
  return items.empty() ? "" : element("ul", "findings", items);
}

std::string render_legend(const std::vector<Panel>& panels) {
  std::set<std::pair<int, std::string>> arms;
  for (const Panel& panel : panels) {
    for (const std::string& arm : panel.arms) arms.insert({arm_rank(arm), arm});
  }
  std::string rows;
  for (const auto& [rank, arm] : arms) {
    rows += "<span>" + key_of(arm) + " <span class=\"soft\">" +
            escape_html(arm_meaning(arm)) + "</span></span>\n";
  }
  return element("div", "legend", rows);
}

std::string render_charts(const std::vector<Panel>& panels) {
  std::string charts;
  for (const Panel& panel : panels) {
    const std::string svg = learning_curves(panel);
    if (svg.empty()) continue;
    charts += element(
        "figure",
        element("h3", panel_title(panel)) + svg +
            element("figcaption", escape_html(prompt_meaning(panel.prompt))));
  }
  if (charts.empty()) return "";
  return element("h2", "Dice against the number of real images") +
         element("p",
                 "Dots are means over images, bars 95 % intervals; dashed "
                 "lines are arms that saw no real image.") +
         render_legend(panels) + element("div", "charts", charts);
}

std::string render_cell(const json* cell) {
  if (!cell) return "<td class=\"soft\">&ndash;</td>";
  if (!(*cell)["metrics"].contains("dice")) {
    return "<td class=\"soft\">no reference</td>";
  }
  std::string inner = "<b>" + show_mean(*cell, "dice", 100, 1) + "</b> " +
                      show_interval((*cell)["metrics"]["dice"], 100, 1);
  inner += "<span class=\"small\">HD95 " + show_hd95(*cell) + ", NSD " +
           show_nsd(*cell) + ", HC error " +
           show_mean(*cell, "hc_abs_error_pct", 1, 1) + " %</span>";
  const int failures = (*cell)["failures"];
  if (failures > 0) {
    inner += "<span class=\"small missed\">" + std::to_string(failures) +
             " of " + std::to_string((*cell)["n_cases"].get<int>()) +
             " missed</span>";
  }
  return element("td", inner);
}

std::string render_panel(const Panel& panel) {
  std::string head = "<th scope=\"col\">arm</th>";
  for (const std::int64_t n : panel.n_reals) {
    head += n == 0 ? "<th scope=\"col\">no real image</th>"
                   : "<th scope=\"col\">" + plural(n, "real image") + "</th>";
  }
  std::string rows;
  for (const std::string& arm : panel.arms) {
    std::string row = "<th scope=\"row\">" + key_of(arm) + "</th>";
    for (const std::int64_t n : panel.n_reals) {
      row += render_cell(panel.find(arm, n));
    }
    rows += element("tr", is_blind_baseline(arm) ? "blind" : "arm", row);
  }
  return element("h3", panel_title(panel)) +
         scrolling_table(panel_title(panel), head, rows);
}

std::string render_tables(const std::vector<Panel>& panels) {
  std::string text = element("h2", "All numbers");
  text += element(
      "p",
      "Dice x 100, mean over images with its 95 % interval, clustered by "
      "exam. HD95 is the 95th percentile of the distances between the "
      "outlines, NSD the share of the outlines within the tolerance of each "
      "other, x 100, HC error the mean absolute error of the head "
      "circumference. The shaded rows never see the image.");
  for (const Panel& panel : panels) text += render_panel(panel);
  return panels.empty() ? element("p", "No case has been scored yet.") : text;
}

std::string render_comparison(const json& row, double limit) {
  const json n_real = row["n_real"].is_null() ? json(0) : row["n_real"];
  const json& difference = row["difference"];
  return element(
      "tr",
      "<th scope=\"row\">" + escape_field(row, "treatment") + " &minus; " +
          escape_field(row, "control") + "</th>" +
          element("td", escape_field(row, "cohort")) +
          element("td", escape_field(row, "prompt")) +
          element("td", std::to_string(n_real.get<std::int64_t>())) +
          element("td", with_sign(difference["mean"].get<double>() * 100, 1) +
                            " " + show_interval(difference, 100, 1)) +
          element("td", interval_bar(difference, limit)) +
          element("td", escape_html(show_p(row["p"]))) +
          element("td", escape_field(row, "verdict")));
}

std::string render_comparisons(const json& summary) {
  if (summary["comparisons"].empty()) return "";
  const double limit = axis_limit(summary);
  std::string rows;
  for (const json& row : summary["comparisons"]) {
    rows += render_comparison(row, limit);
  }
  const std::string head =
      "<th>arms</th><th>cohort</th><th>prompt</th><th>real images</th>"
      "<th>difference, Dice points</th><th>&minus;" +
      fixed(limit, 0) + " to +" + fixed(limit, 0) +
      "</th><th>p, not corrected</th><th>shown</th>";
  return element("h2", "Exploratory comparisons") +
         element("p",
                 "Paired by image and seed; p values by the permutation test "
                 "over exams. None of these was named beforehand and none is "
                 "corrected for their number.") +
         scrolling_table("Exploratory comparisons", head, rows);
}

std::string render_picture(const ReportPicture& picture) {
  const std::string title = escape_html(picture.title);
  return element(
      "figure",
      "<img loading=\"lazy\" decoding=\"async\" alt=\"" + title +
          "\" src=\"data:image/png;base64," + base64(picture.png) + "\">" +
          element("figcaption",
                  "<b>" + title + "</b> " + escape_html(picture.caption)));
}

// Groups stand in the order of their first picture.
std::string render_pictures(const std::vector<ReportPicture>& pictures) {
  std::vector<std::string> groups;
  for (const ReportPicture& picture : pictures) {
    if (std::ranges::find(groups, picture.group) == groups.end()) {
      groups.push_back(picture.group);
    }
  }
  std::string text;
  for (const std::string& group : groups) {
    std::string figures;
    for (const ReportPicture& picture : pictures) {
      if (picture.group == group) figures += render_picture(picture);
    }
    text +=
        element("h2", escape_html(group)) + element("div", "pictures", figures);
  }
  return text;
}

std::string render_provenance(const json& provenance) {
  if (provenance.empty()) return "";
  std::string rows;
  const json flat = provenance.flatten();
  for (const auto& [name, value] : flat.items()) {
    const std::string shown =
        value.is_string() ? value.get<std::string>() : value.dump();
    rows += "<dt>" + escape_html(name.substr(1)) + "</dt><dd>" +
            escape_html(shown) + "</dd>\n";
  }
  return element("h2", "Where these numbers come from") +
         element("p",
                 "provenance.csv, beside this page, names for every scored "
                 "cell the file of its rows, the weights, the synthetic data "
                 "set and the cohort behind them, each with its SHA-256.") +
         element("dl", rows);
}

}  // namespace

std::string render_report(const ReportInput& input) {
  const std::vector<Panel> panels = make_panels(input.summary);
  std::string body = element("h1", escape_html(input.title));
  for (const std::string& notice : input.notices) {
    body += element("div", "notice", escape_html(notice));
  }
  body += render_endpoint(input.summary) + render_findings(input.summary) +
          render_named(input.summary) + render_charts(panels) +
          render_tables(panels) + render_agreement(input.summary) +
          render_jitter(input.summary) + render_dose(input.summary) +
          render_comparisons(input.summary) + render_quality(input.quality) +
          render_pictures(input.pictures) + render_provenance(input.provenance);
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, "
         "initial-scale=1\">\n" +
         element("title", escape_html(input.title)) + "<style>" +
         std::string(report_style()) + "</style></head>\n<body>" +
         element("main", body) + "<script>" + std::string(sort_script()) +
         "</script></body></html>\n";
}

}  // namespace sono
