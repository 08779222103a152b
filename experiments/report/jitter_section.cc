#include "experiments/report/jitter_section.h"

#include <algorithm>
#include <map>
#include <set>

#include "experiments/report/chart.h"
#include "experiments/report/comparisons.h"
#include "experiments/report/panel.h"
#include "experiments/report/text.h"

namespace sono {
namespace {

using nlohmann::json;

constexpr double kLeft = 40, kRight = 468, kTop = 12, kBottom = 262;

// One arm's estimates by jitter.
struct Curve {
  std::string arm;
  std::map<double, json> points;
};

std::vector<Curve> curves_of(const json& summary, const std::string& cohort) {
  const json n_real = summary["endpoint"].value("n_real", json());
  std::map<std::string, Curve> curves;
  for (const json& row : summary["jitter"]) {
    const bool fits =
        row["n_real"].is_null() || n_real.is_null() || row["n_real"] == n_real;
    if (row["cohort"] != cohort || !fits) continue;
    std::string name = row["arm"];
    curves[name].arm = name;
    curves[name].points[row["jitter_px"]] = row["dice"];
  }
  std::vector<Curve> list;
  for (auto& [name, curve] : curves) list.push_back(std::move(curve));
  std::ranges::stable_sort(list, {},
                           [](const Curve& c) { return arm_rank(c.arm); });
  return list;
}

double dice_points(const json& estimate) {
  return estimate["mean"].get<double>() * 100;
}

// Where a jitter and a Dice lie in the drawing.
class Axes {
 public:
  explicit Axes(const std::vector<Curve>& curves) {
    for (const Curve& curve : curves) {
      for (const auto& [jitter, estimate] : curve.points) {
        most_ = std::max(most_, jitter);
        low_ = std::min(low_, dice_points(estimate));
        high_ = std::max(high_, dice_points(estimate));
      }
    }
    low_ = std::max(0.0, low_ - 2);
    high_ = std::min(100.0, high_ + 1);
  }
  double x(double jitter) const {
    return kLeft + 10 + jitter / most_ * (kRight - kLeft - 20);
  }
  double y(double dice) const {
    return kBottom - (dice - low_) / (high_ - low_) * (kBottom - kTop);
  }
  std::string draw() const {
    std::string svg;
    for (double dice : {low_, (low_ + high_) / 2, high_}) {
      svg += "<line x1=\"40\" x2=\"468\" y1=\"" + fixed(y(dice), 1) +
             "\" y2=\"" + fixed(y(dice), 1) + "\" class=\"grid\"/>" +
             text(kLeft - 4, y(dice) + 4, "end", fixed(dice, 0));
    }
    return svg + text(x(0), kBottom + 18, "middle", "0") +
           text(x(most_), kBottom + 18, "middle", fixed(most_, 0)) +
           text((kLeft + kRight) / 2, kBottom + 34, "middle",
                "largest jitter of a side, px of the frame");
  }

 private:
  static std::string text(double x, double y, const char* anchor,
                          const std::string& inner) {
    return "<text x=\"" + fixed(x, 1) + "\" y=\"" + fixed(y, 1) +
           "\" text-anchor=\"" + anchor + "\">" + inner + "</text>";
  }
  double most_ = 1, low_ = 100, high_ = 0;
};

std::string chart(const std::vector<Curve>& curves) {
  const Axes axes(curves);
  std::string svg =
      "<svg viewBox=\"0 0 480 304\" role=\"img\" aria-label=\"Dice against the "
      "jitter of the box\">" +
      axes.draw();
  for (const Curve& curve : curves) {
    std::string path, dots;
    for (const auto& [jitter, estimate] : curve.points) {
      const std::string x = fixed(axes.x(jitter), 1);
      const std::string y = fixed(axes.y(dice_points(estimate)), 1);
      path += (path.empty() ? "" : " ") + x + "," + y;
      dots += "<circle cx=\"" + x + "\" cy=\"" + y + "\" r=\"3.5\"><title>" +
              escape_html(curve.arm) + ", " + fixed(jitter, 0) +
              " px: " + fixed(dice_points(estimate), 1) + "</title></circle>";
    }
    svg += "<g class=\"" + arm_class(curve.arm) +
           "\"><polyline class=\"curve\" points=\"" + path + "\"/>" + dots +
           "</g>";
  }
  return svg + "</svg>";
}

std::string table(const std::vector<Curve>& curves) {
  std::set<double> jitters;
  for (const Curve& curve : curves) {
    for (const auto& [jitter, estimate] : curve.points) jitters.insert(jitter);
  }
  std::string text = "<div class=\"scroll\"><table><thead><tr><th>arm</th>";
  for (double jitter : jitters) text += "<th>" + fixed(jitter, 0) + " px</th>";
  text += "</tr></thead><tbody>\n";
  for (const Curve& curve : curves) {
    text += "<tr><th scope=\"row\"><span class=\"key " + arm_class(curve.arm) +
            "\"></span>" + escape_html(curve.arm) + "</th>";
    for (double jitter : jitters) {
      const auto found = curve.points.find(jitter);
      text += found == curve.points.end()
                  ? "<td>&ndash;</td>"
                  : "<td><b>" + fixed(dice_points(found->second), 1) + "</b> " +
                        show_interval(found->second, 100, 1) + "</td>";
    }
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

}  // namespace

json summarize_jitter(std::span<const Case> cases,
                      const IntervalOptions& options) {
  std::map<double, std::vector<Case>> by_jitter;
  for (const Case& row : cases) {
    by_jitter[row.jitter_px.value_or(0)].push_back(row);
  }
  json rows = json::array();
  for (const auto& [jitter, inside] : by_jitter) {
    for (const auto& [key, cell] : collect_cells(inside)) {
      const auto dice = cell.metrics.find("dice");
      if (dice == cell.metrics.end()) continue;
      json row = to_json(key);
      row["jitter_px"] = jitter;
      row["dice"] = to_json(estimate_mean(dice->second, options));
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::string render_jitter(const json& summary) {
  if (!summary.contains("jitter")) return "";
  std::set<std::string> cohorts;
  for (const json& row : summary["jitter"]) {
    cohorts.insert(row["cohort"].get<std::string>());
  }
  std::string figures, tables;
  for (const std::string& cohort : cohorts) {
    const std::vector<Curve> curves = curves_of(summary, cohort);
    if (curves.empty()) continue;
    const std::string title = "<h3>" + escape_html(cohort) + "</h3>";
    figures += "<figure>" + title + chart(curves) + "</figure>\n";
    tables += title + table(curves);
  }
  if (tables.empty()) return "";
  return "<h2>Dice under gt-box against the jitter of the box</h2>\n"
         "<p>Each side of the true box is pushed outwards by up to so many "
         "pixels of the segmenter's frame. Mean Dice x 100 with its 95 % "
         "interval, draws averaged first.</p>\n<div class=\"charts\">" +
         figures + "</div>\n" + tables;
}

}  // namespace sono
