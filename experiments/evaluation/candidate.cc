#include "experiments/evaluation/candidate.h"

#include "experiments/evaluation/baselines.h"

namespace sono {

bool Candidate::blind() const {
  return arm == kBlindEllipseArm || arm == kMeanMaskArm;
}

bool Candidate::answers(const std::string& prompt) const {
  if (arm == kBlindEllipseArm) return prompt == "gt-box";
  if (arm == kMeanMaskArm) return prompt != "gt-box";
  return prompt != "detector" || detector.defined();
}

}  // namespace sono
