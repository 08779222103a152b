#include "experiments/report/quality_section.h"

#include <cstdio>

#include "experiments/report/text.h"

namespace sono {
namespace {

using nlohmann::json;

std::string number(const json& value, double scale, int digits) {
  if (!value.is_number()) return "&ndash;";
  char text[48];
  std::snprintf(text, sizeof(text), "%.*f", digits,
                value.get<double>() * scale);
  return text;
}

std::string cell(const std::string& inner) { return "<td>" + inner + "</td>"; }

// Kernel distances are small numbers; they are shown times 1,000.
std::string distance(const json& row) {
  std::string text = number(row["kid"], 1000, 1);
  if (row["kid_low"].is_number()) {
    text += " [" + number(row["kid_low"], 1000, 1) + ", " +
            number(row["kid_high"], 1000, 1) + "]";
  }
  return text;
}

std::string copies_text(const json& copies) {
  if (copies.is_null()) return "&ndash;";
  return std::to_string(copies["flagged"].size()) + " of " +
         copies["synthetic"].dump() + "; " +
         number(copies["nearer_probability"], 1, 2);
}

std::string gate_text(const json& row) {
  if (row["accepted"].is_null()) return "&ndash;";
  return row["accepted"].dump() + " of " + row["count"].dump();
}

std::string rows_of(const std::string& label, const json& set) {
  std::string rows;
  for (const auto& [space, both] : set["spaces"].items()) {
    const json& made = both["synthetic"];
    const json& halves = both["halves"];
    rows += "<tr><th>" + escape_html(label) + "</th>" +
            cell(escape_html(space)) + cell(made["synthetic"].dump()) +
            cell(distance(made)) +
            cell(halves.is_null() ? "&ndash;" : distance(halves)) +
            cell(number(made["fid"], 1, 2)) +
            cell(number(made["precision"], 1, 2)) +
            cell(number(made["coverage"], 1, 2)) +
            cell(copies_text(set["copies"])) + cell(gate_text(set)) + "</tr>\n";
  }
  return rows;
}

const char kExplanation[] =
    "<p>KID is the unbiased kernel distance to held-out real heads, times "
    "1,000, with a 95 % interval that leaves out one exam, or one synthetic "
    "image, at a time. &ldquo;Real : real&rdquo; is the same between two "
    "halves of those heads: what like sets come out as. The space "
    "<i>lite-medsam</i> is the segmenter's own encoder, so that a small "
    "distance there alone is circular; <i>texture</i> sees speckle and "
    "brightness, not anatomy. All images went through the generator's size. "
    "FID is left out where there are no more images than dimensions.</p>\n"
    "<p>Copies: images flagged as too near to a training image, and the "
    "probability that a synthetic image is nearer to the training images than "
    "a held-out head is (alike: 0.50). These numbers do not say whether the "
    "images help; the tables of Dice do.</p>\n";

}  // namespace

std::string render_quality(const json& quality) {
  std::string rows;
  if (quality.is_object()) {
    for (const auto& [label, set] : quality.items()) {
      rows += rows_of(label, set);
    }
  }
  if (rows.empty()) return "";
  return "<h2>Synthetic images as images</h2>\n" + std::string(kExplanation) +
         "<div class=\"scroll\"><table><thead><tr><th>run</th><th>space</th>"
         "<th>images</th><th>KID</th><th>real : real</th><th>FID</th>"
         "<th>precision</th><th>coverage</th><th>copies</th>"
         "<th>gate</th></tr></thead><tbody>\n" +
         rows + "</tbody></table></div>\n";
}

}  // namespace sono
