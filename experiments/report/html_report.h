#pragma once
// report.html: one self-contained page. It loads nothing, needs no script (one
// sorts its tables), and reads on a phone, in the dark and on paper.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace sono {

struct ReportPicture {
  std::string title;
  std::string caption;
  std::vector<std::uint8_t> png;  // the file's bytes
  // Heading that the picture stands under ("Real beside synthetic").
  std::string group = "Pictures";
};

struct ReportInput {
  std::string title;
  // Shown at the top, as "The diffusion of this recipe is a smoke test."
  std::vector<std::string> notices;
  nlohmann::json summary;  // of summarize()
  nlohmann::json quality;  // of the quality stage; null without one
  std::vector<ReportPicture> pictures;
  // Name to value, nested as needed: hashes, seeds, options, versions.
  nlohmann::json provenance;
};

// The page. A function of its input alone; all text is escaped.
std::string render_report(const ReportInput& input);

}  // namespace sono
