#pragma once
// What a run shows in TensorBoard, by training.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/event_file.h"
#include "experiments/report/cases.h"

namespace sono {

// What log.jsonl and the cases have to show, by training ("tune
// concat-n5-s0"): the scalars of each step (core/event_file.h), and of tunings
// the mean Dice by test cohort and prompt at the last one. Lines that are no
// steps are passed over, and a last one cut off by a kill.
std::map<std::string, std::vector<ScalarEvent>> tensorboard_events(
    std::string_view log, std::span<const Case> cases);

// A training's label as the name of its folder in tensorboard/.
std::string events_folder(std::string label);

}  // namespace sono
