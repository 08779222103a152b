#pragma once
// The report's contact sheets.

#include <vector>

#include "experiments/report/html_report.h"
#include "experiments/run_report.h"

namespace sono {

// Real heads, phantoms, and each generator's pairs with the gate's verdicts.
std::vector<ReportPicture> synthetic_pictures(const RunContext& context,
                                              const Study& study,
                                              const ReportData& data);

// Best, median and worst images of each cohort with the contours of reference
// and prediction, under the recipe's last arm and last prompt.
std::vector<ReportPicture> overlay_pictures(const RunContext& context,
                                            const Study& study,
                                            const ReportData& data,
                                            Predictor& predictor);

}  // namespace sono
