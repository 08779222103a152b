#include "experiments/protocol.h"

#include <utility>

namespace sono {

const std::vector<std::string>& known_protocols() {
  static const std::vector<std::string> kNames = {"equal-work", "wang"};
  return kNames;
}

bool apply_protocol(const std::string& protocol, OptionTable& table) {
  // Section 3 of the paper and its fine-tuning script; where they differ, the
  // script. The batch of five has as many lanes as samples.
  static const std::vector<std::pair<const char*, const char*>> kWang = {
      {"experiment.seeds", "1"},  // their spread is that of the boxes alone
      {"experiment.prompts", "gt-box"},
      {"experiment.draws", "5"},
      {"experiment.jitter_px", "19"},  // randint(0, 20)
      {"segment.epochs", "20"},
      {"segment.batch_size", "5"},
      {"segment.lanes", "5"},
      {"segment.optimizer", "adam"},
      {"segment.learning_rate", "1e-5"},
      {"segment.weight_decay", "0"},
      {"segment.clip_norm", "0"},
      {"segment.schedule", "constant"},
      {"segment.warmup_steps", "0"},
      {"segment.mix", "union"},
      {"segment.train_prompt", "gt-box"},
      {"segment.jitter_px", "19"},
      {"segment.frame", "squash"},  // images and masks to 256 x 256
      {"segment.augmented_box", "before"},
  };
  if (protocol != "wang") return false;
  for (const auto& [name, value] : kWang) table.set(name, value);
  return true;
}

}  // namespace sono
