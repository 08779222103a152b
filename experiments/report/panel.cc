#include "experiments/report/panel.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "experiments/evaluation/baselines.h"

namespace sono {
namespace {

using nlohmann::json;

struct Meaning {
  const char* name;
  const char* text;
};

constexpr Meaning kArms[] = {
    {"zero-shot", "the published segmenter as it is"},
    {"none", "tuned on the real images alone"},
    {"weak", "real images, weak augmentation"},
    {"strong", "real images, strong augmentation"},
    {"us-aug", "real images, ultrasound augmentation"},
    {"phantom", "real images and simulator images, no diffusion"},
    {"sdedit", "real images and phantoms redrawn by diffusion"},
    {"joint",
     "real images and pairs made by diffusion, image and outline "
     "together"},
    {"concat", "real images and images made by diffusion for a given outline"},
    {"controlnet",
     "real images and images made by diffusion for a given outline, through a "
     "ControlNet"},
    {"real-100", "ceiling: 100 real images"},
    {"oracle-res", "ceiling: real images at the generator's resolution"},
};
constexpr Meaning kBaselines[] = {
    {kBlindEllipseArm, "the ellipse in the prompt box; never sees the image"},
    {kMeanMaskArm, "the mean mask of the training heads; never sees the image"},
};
constexpr Meaning kPrompts[] = {
    {"frame", "the box is the whole image"},
    {"self", "frame first, then the box of its own mask"},
    {"detector", "the box is predicted from the image"},
    {"gt-box", "the box is drawn from the truth and jittered"},
};

template <std::size_t kSize>
int rank_in(const Meaning (&meanings)[kSize], const std::string& name) {
  for (std::size_t i = 0; i < kSize; ++i) {
    if (name == meanings[i].name) return static_cast<int>(i);
  }
  return static_cast<int>(kSize);
}

template <std::size_t kSize>
std::string text_in(const Meaning (&meanings)[kSize], const std::string& name) {
  const int rank = rank_in(meanings, name);
  return rank < static_cast<int>(kSize) ? meanings[rank].text : "";
}

std::int64_t n_real_of(const json& cell) {
  return cell["n_real"].is_null() ? 0 : cell["n_real"].get<std::int64_t>();
}

void list_rows_and_columns(Panel& panel) {
  std::set<std::string> arms{kBlindEllipseArm, kMeanMaskArm};
  std::set<std::int64_t> n_reals;
  for (const json& cell : panel.cells) {
    arms.insert(cell["arm"].get<std::string>());
    n_reals.insert(n_real_of(cell));
  }
  panel.arms.assign(arms.begin(), arms.end());
  std::ranges::stable_sort(panel.arms, {}, arm_rank);
  panel.n_reals.assign(n_reals.begin(), n_reals.end());
}

}  // namespace

const json* Panel::find(const std::string& arm, std::int64_t n_real) const {
  for (const json& cell : cells) {
    if (cell["arm"] == arm && n_real_of(cell) == n_real) return &cell;
  }
  return nullptr;
}

std::vector<Panel> make_panels(const json& summary) {
  using Key = std::tuple<std::string, int, std::string>;  // cohort, prompt
  std::map<Key, std::map<std::string, std::vector<json>>> groups;
  for (const json& cell : summary.at("cells")) {
    const std::string prompt = cell["prompt"];
    const Key key{cell["cohort"], rank_in(kPrompts, prompt), prompt};
    groups[key][cell["train_cohort"]].push_back(cell);
  }
  std::vector<Panel> panels;
  for (const auto& [key, by_train_cohort] : groups) {
    const auto shared = by_train_cohort.find("");
    for (const auto& [train_cohort, cells] : by_train_cohort) {
      if (train_cohort.empty() && by_train_cohort.size() > 1) continue;
      Panel panel{
          std::get<0>(key), std::get<2>(key), train_cohort, {}, {}, cells};
      if (!train_cohort.empty() && shared != by_train_cohort.end()) {
        panel.cells.insert(panel.cells.end(), shared->second.begin(),
                           shared->second.end());
      }
      list_rows_and_columns(panel);
      panels.push_back(std::move(panel));
    }
  }
  return panels;
}

bool is_blind_baseline(const std::string& arm) {
  return arm == kBlindEllipseArm || arm == kMeanMaskArm;
}

int arm_rank(const std::string& arm) {
  if (is_blind_baseline(arm)) return 100 + rank_in(kBaselines, arm);
  return rank_in(kArms, arm);
}

std::string arm_meaning(const std::string& arm) {
  return is_blind_baseline(arm) ? text_in(kBaselines, arm)
                                : text_in(kArms, arm);
}

std::string prompt_meaning(const std::string& prompt) {
  return text_in(kPrompts, prompt);
}

}  // namespace sono
