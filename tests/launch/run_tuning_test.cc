// Recipes that tune more of a SAM than its decoder, on a tiny SAM ViT.

#include <gtest/gtest.h>

#include "core/atomic_file.h"
#include "models/io/safetensors.h"
#include "models/nn/module.h"
#include "tests/launch/program.h"
#include "tests/launch/tiny_run.h"
#include "tests/models/sam/tiny_sam.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

class RunTuning : public TinyRun {
 protected:
  void SetUp() override {
    TinyRun::SetUp();
    if (IsSkipped()) return;
    const Sam sam(tiny_sam_config());
    save_safetensors(in("sam.safetensors"), scattered_state(sam));
  }
  std::string tune(const std::string& out, const std::string& parts,
                   const std::string& more = "") const {
    return run(out, "--set place.weights=" + in("sam.safetensors") +
                        " --set segment.parts=" + parts +
                        " --set segment.jitter_px=2 --set "
                        "experiment.jitter_px=2 " +
                        more);
  }
  fs::path tuned(const std::string& out) const {
    for (const auto& stage : fs::directory_iterator(in(out + "/stages"))) {
      if (stage.path().filename().string().starts_with("tune-")) {
        return stage.path();
      }
    }
    return {};
  }
};

int count(const StateDict& state, const std::string& prefix) {
  int found = 0;
  for (const auto& [name, tensor] : state) found += name.starts_with(prefix);
  return found;
}

TEST_F(RunTuning, EachChoiceTrainsItsPartsAndScoresWithThem) {
  std::string scores;
  for (const std::string parts : {"decoder", "lora", "whole"}) {
    expect_result(tune(parts, parts), 0, {"report: "});
    const bool decoder = parts == "decoder";
    const StateDict state = load_safetensors(
        tuned(parts) / (decoder ? "decoder.safetensors" : "tuned.safetensors"));
    EXPECT_GT(count(state, "mask_decoder."), 0);
    EXPECT_EQ(count(state, "image_encoder.") > 0, parts == "whole");
    EXPECT_EQ(count(state, "lora."), parts == "lora" ? 4 : 0);
    const std::string cases = read_file(in(parts + "/cases.csv"));
    EXPECT_NE(cases, scores) << parts;
    scores = cases;
  }
}

TEST_F(RunTuning, MoreThanTheDecoderGivesTheSameBytesOnTwoRanks) {
  for (const std::string parts : {"lora", "whole"}) {
    expect_result(tune(parts + "1", parts), 0, {"report: "});
    expect_result(tune(parts + "2", parts, "--local-ranks 2"), 0, {"report: "});
    for (const char* file : {"cases.csv", "summary.json"}) {
      EXPECT_EQ(read_file(in(parts + "1/") + file),
                read_file(in(parts + "2/") + file))
          << parts << " " << file;
    }
    EXPECT_EQ(read_file(tuned(parts + "1") / "tuned.safetensors"),
              read_file(tuned(parts + "2") / "tuned.safetensors"));
    // A worker of the evaluation finds the tuned encoder by itself.
    fs::remove_all(in(parts + "2/evaluation"));
    fs::remove_all(in(parts + "2/cache"));
    fs::remove(in(parts + "2/cases.csv"));
    expect_result("evaluate " + in(parts + "2"), 0, {"complete"});
    expect_result("report " + in(parts + "2"), 0, {});
    EXPECT_EQ(read_file(in(parts + "2/cases.csv")),
              read_file(in(parts + "1/cases.csv")));
  }
}

TEST_F(RunTuning, WhatCannotBeTunedIsRefused) {
  expect_result(run("out", "--set segment.parts=whole"), 2,
                {"segment.parts", "LiteMedSAM", "place.weights"});
  expect_result(tune("out", "all"), 2, {"segment.parts", "whole"});
  expect_result(tune("out", "lora", "--set experiment.prompts=detector"), 2,
                {"detector", "segment.parts"});
  expect_result(tune("out", "lora", "--set segment_lora.targets=nothing"), 2,
                {"segment_lora.targets"});
}

}  // namespace
}  // namespace sono
