#include "experiments/named_endpoints.h"

#include "experiments/arms.h"

namespace sono {
namespace {

// Beside the endpoint: its Dice in the other test cohorts, the error of the
// circumference, and the prompt `detector` where the recipe asks for it.
std::vector<SecondaryEndpoint> secondary_endpoints(
    const Recipe& recipe, const SummaryOptions& options) {
  const std::string &home = options.endpoint_cohort,
                    &prompt = options.endpoint_prompt;
  std::vector<SecondaryEndpoint> secondary;
  const auto& tests =
      recipe.data.test.empty() ? recipe.data.cohorts : recipe.data.test;
  for (const std::string& cohort : tests) {
    if (cohort != home) secondary.push_back({cohort, prompt});
  }
  secondary.push_back({home, prompt, "hc_abs_error_pct"});
  if (asks_for_detector(recipe.experiment)) {
    secondary.push_back({home, "detector"});
  }
  return secondary;
}

}  // namespace

SummaryOptions named_endpoints(const Recipe& recipe) {
  SummaryOptions options;
  options.endpoint_train_cohort = recipe.data.train.front();
  options.endpoint_cohort = recipe.data.train.front();
  options.endpoint_n_real = recipe.experiment.n_real.front();
  if (recipe.experiment.protocol == "wang") {
    options.endpoint_treatment = "joint";
    options.endpoint_control = "none";
    options.endpoint_prompt = "gt-box";
    options.controls = {"none", "weak", "strong"};
    const auto& tests =
        recipe.data.test.empty() ? recipe.data.cohorts : recipe.data.test;
    options.endpoint_cohort = tests.front();
  } else {
    options.secondary = secondary_endpoints(recipe, options);
  }
  return options;
}

}  // namespace sono
