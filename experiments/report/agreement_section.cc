#include "experiments/report/agreement_section.h"

#include <algorithm>
#include <set>

#include "experiments/report/chart.h"
#include "experiments/report/panel.h"
#include "experiments/report/text.h"

namespace sono {
namespace {

using nlohmann::json;

constexpr double kWidth = 480, kHeight = 300;
constexpr double kLeft = 46, kRight = 468, kTop = 12, kBottom = 262;

std::string number(const char* name, double value) {
  return std::string(" ") + name + "=\"" + fixed(value, 1) + "\"";
}

// The limits that a chart is scaled to: with failures those of the others, so
// that heads that measure 0 mm do not flatten the rest.
const json& shown_limits(const json& row) {
  return row["measured"].is_null() ? row : row["measured"];
}

// Where millimetres lie in the drawing.
class Axes {
 public:
  explicit Axes(const json& row) {
    for (const json& point : row["points"]) {
      if (point[2]) continue;
      low_x_ = std::min(low_x_, point[0].get<double>());
      high_x_ = std::max(high_x_, point[0].get<double>());
    }
    if (low_x_ > high_x_) low_x_ = 0, high_x_ = 1;
    high_x_ = std::max(high_x_, low_x_ + 1);
    const json& limits = shown_limits(row);
    const double bias = limits["bias"]["value"],
                 upper = limits["upper"]["value"];
    const double reach = std::max(1.6 * (upper - bias), 0.5);
    low_y_ = std::min(bias - reach, 0.0);
    high_y_ = std::max(bias + reach, 0.0);
  }

  double x(double mm) const {
    const double share = (mm - low_x_) / (high_x_ - low_x_);
    return kLeft + 8 + std::clamp(share, 0.0, 1.0) * (kRight - kLeft - 16);
  }
  double y(double mm) const {
    const double share = (mm - low_y_) / (high_y_ - low_y_);
    return kBottom - std::clamp(share, 0.0, 1.0) * (kBottom - kTop);
  }
  std::string labels() const {
    const std::string bottom = number("y", kHeight - 22);
    return text(kLeft + 8, bottom, "start", fixed(low_x_, 0)) +
           text(kRight - 8, bottom, "end", fixed(high_x_, 0)) +
           text((kLeft + kRight) / 2, number("y", kHeight - 6), "middle",
                "mean of prediction and reference, mm");
  }
  static std::string text(double x, const std::string& y, const char* anchor,
                          const std::string& inner) {
    return "<text" + number("x", x) + y + " text-anchor=\"" + anchor + "\">" +
           escape_html(inner) + "</text>";
  }

 private:
  double low_x_ = 1e9, high_x_ = -1e9, low_y_ = 0, high_y_ = 1;
};

std::string level(const Axes& axes, const json& line, const char* css_class) {
  const double y = axes.y(line["value"]);
  std::string svg;
  if (!line["low"].is_null()) {
    const double top = axes.y(line["high"]), bottom = axes.y(line["low"]);
    svg += "<rect" + number("x", kLeft) + number("y", top) +
           number("width", kRight - kLeft) + number("height", bottom - top) +
           " style=\"fill:var(--arm);opacity:.13\"/>";
  }
  svg += "<line" + number("x1", kLeft) + number("x2", kRight) +
         number("y1", y) + number("y2", y) + " class=\"" + css_class + "\"/>";
  return svg + Axes::text(kLeft - 4, number("y", y + 4), "end",
                          fixed(line["value"], 1));
}

std::string dots(const json& row, const Axes& axes) {
  std::string svg;
  for (const json& point : row["points"]) {
    const double x = axes.x(point[0]), y = axes.y(point[1]);
    if (point[2]) {
      svg += "<path d=\"M" + fixed(x - 3, 1) + " " + fixed(y - 3, 1) +
             "l6 6m0 -6l-6 6\" class=\"whisker\"/>";
    } else {
      svg += "<circle" + number("cx", x) + number("cy", y) +
             " r=\"2.4\" opacity=\".6\"/>";
    }
  }
  return svg;
}

// "+0.8 [0.2, 1.4]".
std::string with_interval(const json& line) {
  std::string text = with_sign(line["value"], 1);
  if (line["low"].is_null()) return text;
  return text + " [" + fixed(line["low"], 1) + ", " + fixed(line["high"], 1) +
         "]";
}

std::string limits_text(const json& row) {
  return with_interval(row["lower"]) + " to " + with_interval(row["upper"]);
}

std::string short_text(const json& row) {
  return with_sign(row["bias"]["value"], 1) + " (" +
         fixed(row["lower"]["value"], 1) + " to " +
         fixed(row["upper"]["value"], 1) + ")";
}

std::string cell(const std::string& text) {
  return "<td>" + escape_html(text) + "</td>";
}

// The rows of one cohort that the section shows.
struct Selection {
  std::string cohort;
  std::string prompt;
  std::int64_t n_real = 0;
  std::vector<const json*> rows;

  const json* find(const json& like, const char* measure,
                   const char* unit) const {
    for (const json* row : rows) {
      if ((*row)["arm"] == like["arm"] &&
          (*row)["train_cohort"] == like["train_cohort"] &&
          (*row)["measure"] == measure && (*row)["unit"] == unit &&
          (*row)["stratum"] == like["stratum"]) {
        return row;
      }
    }
    return nullptr;
  }
};

bool is_circumference(const json& row) {
  return row["measure"] == "hc" && row["unit"] == "mm";
}

Selection select(const json& summary, const std::string& cohort) {
  const json& endpoint = summary["endpoint"];
  Selection chosen{cohort,
                   endpoint["prompt"],
                   endpoint.value("n_real", std::int64_t{0}),
                   {}};
  for (const json& row : summary["agreement"]) {
    const bool fits = row["cohort"] == cohort &&
                      row["prompt"] == chosen.prompt &&
                      (row["n_real"].is_null() || chosen.n_real == 0 ||
                       row["n_real"] == chosen.n_real);
    if (fits) chosen.rows.push_back(&row);
  }
  std::ranges::stable_sort(
      chosen.rows, {}, [](const json* row) { return arm_rank((*row)["arm"]); });
  return chosen;
}

std::string failures_text(const json& row) {
  const json& measured = row["measured"];
  std::string text = row["failures"].dump();
  if (!measured.is_null()) text += "; without them " + short_text(measured);
  return text;
}

std::string arm_rows(const Selection& chosen) {
  std::string rows;
  for (const json* row : chosen.rows) {
    if (!is_circumference(*row) || (*row)["stratum"] != "") continue;
    const auto other = [&](const char* measure, const char* unit) {
      const json* found = chosen.find(*row, measure, unit);
      return cell(found ? short_text(*found) : "-");
    };
    rows += "<tr><th scope=\"row\">" +
            escape_html((*row)["arm"].get<std::string>()) + "</th>" +
            cell((*row)["n_exams"].dump()) +
            cell(with_interval((*row)["bias"])) + cell(limits_text(*row)) +
            other("hc", "%") + other("bpd", "mm") + other("ofd", "mm") +
            cell(failures_text(*row)) + "</tr>\n";
  }
  return rows;
}

std::string floor_row(const json& summary, const std::string& cohort) {
  const json& floors = summary["floor"];
  if (!floors.contains(cohort)) return "";
  const json& floor = floors[cohort];
  return "<tr class=\"blind\"><th scope=\"row\">reference mask</th>" +
         cell(floor["n_exams"].dump()) +
         "<td colspan=\"2\">its own ellipse against the csv</td>" +
         cell(short_text(floor)) + "<td></td><td></td><td></td></tr>\n";
}

std::string table(const std::string& head, const std::string& rows) {
  return "<div class=\"scroll\"><table><thead><tr>" + head +
         "</tr></thead><tbody>\n" + rows + "</tbody></table></div>\n";
}

std::string strata_table(const Selection& chosen) {
  std::string rows;
  for (const json* row : chosen.rows) {
    if (!is_circumference(*row) || (*row)["stratum"] == "") continue;
    rows += "<tr><th scope=\"row\">" +
            escape_html((*row)["arm"].get<std::string>()) + "</th>" +
            cell((*row)["stratum"].get<std::string>() + " mm") +
            cell((*row)["n_exams"].dump()) +
            cell(with_interval((*row)["bias"])) + cell(limits_text(*row)) +
            cell(failures_text(*row)) + "</tr>\n";
  }
  if (rows.empty()) return "";
  return "<details><summary>By reference HC (first trimester below 97 mm, "
         "third above 255 mm)</summary>\n" +
         table(
             "<th>arm</th><th>reference HC</th><th>exams</th>"
             "<th>HC bias, mm</th><th>HC limits, mm</th><th>failures</th>",
             rows) +
         "</details>\n";
}

std::string charts(const Selection& chosen) {
  std::string figures;
  for (const json* row : chosen.rows) {
    if (!row->contains("points")) continue;
    figures += "<figure><h3>" + escape_html((*row)["arm"].get<std::string>()) +
               ", HC on " + escape_html(chosen.cohort) + "</h3>" +
               agreement_chart(*row) +
               "<figcaption>Prediction minus reference, mm; dots of the first "
               "seed, lines and bands of all. Crosses: heads without an "
               "ellipse, left out of the lines.</figcaption></figure>\n";
  }
  if (figures.empty()) return "";
  return "<div class=\"charts\">" + figures + "</div>\n";
}

const char kExplanation[] =
    "<p>Bland-Altman: bias is the mean of prediction minus reference, and 95 % "
    "of single measurements are expected between the limits (bias &plusmn; "
    "1.96 sd). Brackets hold 95 % intervals, from exams and seeds drawn "
    "together, or under 30 exams from the published formula. HC is the "
    "circumference of the fitted ellipse, BPD its minor and OFD its major "
    "axis. A head without an ellipse measures 0 mm and stays in; beside its "
    "count stand the figures without such heads.</p>\n";

}  // namespace

std::string agreement_chart(const json& row) {
  const Axes axes(row);
  const json& limits = shown_limits(row);
  const json zero = {{"value", 0.0}, {"low", nullptr}};
  return "<svg class=\"" + arm_class(row["arm"]) + "\" viewBox=\"0 0 " +
         fixed(kWidth, 0) + " " + fixed(kHeight, 0) +
         "\" role=\"img\" aria-label=\"Bland-Altman chart of the head "
         "circumference\">" +
         level(axes, limits["bias"], "whisker") +
         level(axes, limits["lower"], "level") +
         level(axes, limits["upper"], "level") + level(axes, zero, "zero") +
         dots(row, axes) + axes.labels() + "</svg>";
}

std::string render_agreement(const json& summary) {
  if (!summary["endpoint"].contains("prompt")) return "";
  std::set<std::string> cohorts;
  for (const json& row : summary["agreement"]) {
    cohorts.insert(row["cohort"].get<std::string>());
  }
  std::string text;
  for (const std::string& cohort : cohorts) {
    const Selection chosen = select(summary, cohort);
    const std::string rows = arm_rows(chosen);
    if (rows.empty()) continue;
    text += "<h3>" + escape_html(cohort + ", prompt " + chosen.prompt) +
            "</h3>\n" + charts(chosen) +
            table(
                "<th>arm</th><th>exams</th><th>HC bias, mm</th>"
                "<th>HC limits, mm</th><th>HC, %: bias (limits)</th>"
                "<th>BPD, mm</th><th>OFD, mm</th><th>failures</th>",
                floor_row(summary, cohort) + rows) +
            strata_table(chosen);
  }
  if (text.empty()) return "";
  return "<h2>Agreement with the reference in millimetres</h2>\n" +
         std::string(kExplanation) + text;
}

}  // namespace sono
