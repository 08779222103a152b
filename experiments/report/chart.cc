#include "experiments/report/chart.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "experiments/report/text.h"

namespace sono {
namespace {

using nlohmann::json;

constexpr double kWidth = 480, kHeight = 340;
constexpr double kLeft = 40, kRight = 468, kTop = 12, kBottom = 302;

// One arm's Dice in points at one number of real images.
struct Point {
  std::int64_t n_real = 0;
  double mean = 0;
  double low = 0;
  double high = 0;
};

struct Series {
  std::string arm;
  std::vector<Point> points;
};

std::string attribute(const char* name, double value) {
  return std::string(" ") + name + "=\"" + fixed(value, 1) + "\"";
}

std::string line(double x1, double y1, double x2, double y2,
                 const std::string& css_class) {
  return "<line" + attribute("x1", x1) + attribute("y1", y1) +
         attribute("x2", x2) + attribute("y2", y2) + " class=\"" + css_class +
         "\"/>";
}

std::string label(double x, double y, const std::string& anchor,
                  const std::string& text) {
  return "<text" + attribute("x", x) + attribute("y", y) + " text-anchor=\"" +
         anchor + "\">" + escape_html(text) + "</text>";
}

Point point_of(std::int64_t n_real, const json& dice) {
  const double mean = dice["mean"].get<double>() * 100;
  Point point{n_real, mean, mean, mean};
  if (!dice["interval"].is_null()) {
    point.low = dice["interval"]["low"].get<double>() * 100;
    point.high = dice["interval"]["high"].get<double>() * 100;
  }
  return point;
}

std::vector<Series> collect_series(const Panel& panel) {
  std::vector<Series> all;
  for (const std::string& arm : panel.arms) {
    Series series{arm, {}};
    for (const std::int64_t n_real : panel.n_reals) {
      const json* cell = panel.find(arm, n_real);
      if (!cell || !(*cell)["metrics"].contains("dice")) continue;
      series.points.push_back(point_of(n_real, (*cell)["metrics"]["dice"]));
    }
    if (!series.points.empty()) all.push_back(std::move(series));
  }
  return all;
}

// Where values lie in the drawing: Dice is linear, numbers of images stand at
// equal steps.
class Axes {
 public:
  Axes(const Panel& panel, const std::vector<Series>& all) {
    for (const std::int64_t n : panel.n_reals) {
      if (n > 0) n_reals_.push_back(n);
    }
    double low = 100, high = 0;
    for (const Series& series : all) {
      for (const Point& point : series.points) {
        low = std::min({low, point.mean, std::max(0.0, point.low)});
        high = std::max({high, point.mean, std::min(100.0, point.high)});
      }
    }
    step_ = high - low > 30 ? 10 : high - low > 12 ? 5 : 2;
    low_ = std::floor(low / step_) * step_;
    high_ = std::max(std::ceil(high / step_) * step_, low_ + step_);
  }

  double y(double dice) const {
    const double inside = std::clamp(dice, low_, high_);
    return kBottom - (inside - low_) / (high_ - low_) * (kBottom - kTop);
  }

  // `offset` in -0.5 .. 0.5 keeps the intervals of the arms apart.
  double x(std::int64_t n_real, double offset) const {
    const auto at = std::ranges::find(n_reals_, n_real) - n_reals_.begin();
    const double column =
        (kRight - kLeft) / std::max<double>(1, n_reals_.size());
    return kLeft + column * (static_cast<double>(at) + 0.5 + 0.5 * offset);
  }

  std::string draw() const {
    std::string svg;
    for (double dice = low_; dice <= high_ + 0.5; dice += step_) {
      svg += line(kLeft, y(dice), kRight, y(dice), "grid");
      svg += label(kLeft - 6, y(dice) + 4, "end", fixed(dice, 0));
    }
    for (const std::int64_t n : n_reals_) {
      svg += label(x(n, 0), kBottom + 18, "middle", std::to_string(n));
    }
    return svg + label((kLeft + kRight) / 2, kHeight - 4, "middle",
                       "real training images");
  }

 private:
  std::vector<std::int64_t> n_reals_;
  double step_ = 5, low_ = 0, high_ = 100;
};

std::string title(const Series& series, const Point& point) {
  return "<title>" + escape_html(series.arm) + ", " +
         plural(point.n_real, "real image") + ": " + fixed(point.mean, 1) +
         " [" + fixed(point.low, 1) + ", " + fixed(point.high, 1) + "]</title>";
}

std::string draw_level(const Series& series, const Point& point,
                       const Axes& axes) {
  const double y = axes.y(point.mean);
  return "<g>" + title(series, point) + line(kLeft, y, kRight, y, "level") +
         "</g>";
}

std::string draw_point(const Series& series, const Point& point, double x,
                       const Axes& axes) {
  return "<g>" + title(series, point) +
         line(x, axes.y(point.low), x, axes.y(point.high), "whisker") +
         "<circle" + attribute("cx", x) + attribute("cy", axes.y(point.mean)) +
         " r=\"4\"/></g>";
}

std::string draw_series(const Series& series, double offset, const Axes& axes) {
  std::string svg = "<g class=\"" + arm_class(series.arm) + "\">", path;
  for (const Point& point : series.points) {
    if (point.n_real == 0) {
      svg += draw_level(series, point, axes);
      continue;
    }
    const double x = axes.x(point.n_real, offset);
    path += (path.empty() ? "" : " ") + fixed(x, 1) + "," +
            fixed(axes.y(point.mean), 1);
    svg += draw_point(series, point, x, axes);
  }
  if (!path.empty()) {
    svg += "<polyline class=\"curve\" points=\"" + path + "\"/>";
  }
  return svg + "</g>";
}

}  // namespace

std::string learning_curves(const Panel& panel) {
  const std::vector<Series> all = collect_series(panel);
  if (all.empty()) return "";
  const Axes axes(panel, all);
  std::string svg =
      "<svg class=\"curves\" viewBox=\"0 0 480 340\" role=\"img\" "
      "aria-label=\"Dice against real training images\">" +
      axes.draw();
  const double last = std::max<double>(1, static_cast<double>(all.size()) - 1);
  for (std::size_t i = 0; i < all.size(); ++i) {
    svg += draw_series(all[i], static_cast<double>(i) / last - 0.5, axes);
  }
  return svg + "</svg>";
}

std::string interval_bar(const json& estimate, double limit_points) {
  const Point point = point_of(0, estimate);
  const auto x = [&](double points) {
    return 100 + 96 * std::clamp(points / limit_points, -1.0, 1.0);
  };
  return "<svg class=\"bar\" viewBox=\"0 0 200 20\" aria-hidden=\"true\">" +
         line(100, 0, 100, 20, "zero") +
         line(x(point.low), 10, x(point.high), 10, "whisker") + "<circle" +
         attribute("cx", x(point.mean)) + " cy=\"10\" r=\"4.5\"/></svg>";
}

double axis_limit(const json& summary) {
  double limit = 1;
  std::vector<json> rows = summary["comparisons"];
  if (summary["endpoint"]["status"] == "done") {
    rows.push_back(summary["endpoint"]);
  }
  for (const json& row : rows) {
    const Point point = point_of(0, row["difference"]);
    limit = std::max({limit, std::abs(point.mean), std::abs(point.low),
                      std::abs(point.high)});
  }
  return std::ceil(limit);
}

std::string arm_class(const std::string& arm) {
  return "arm-" + std::to_string(std::min(arm_rank(arm), 110));
}

}  // namespace sono
