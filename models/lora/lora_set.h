#pragma once
// Low-rank adaptation (Hu et al. 2021) of a frozen model: two small matrices a
// layer, fp32 whatever the model's precision, beside the layer's own weight.
//
// Parameters are named by the layer, "PATH.lora_A.weight" (down, [r, in]) and
// "PATH.lora_B.weight" (up, [out, r]). The set is a module of its own, so that
// the model's state never holds it. One thread at a time.

#include <string>
#include <vector>

#include "models/lora/lora_targets.h"

namespace sono {

class LoraSet : public Module {
 public:
  // Attached to `model`, which must outlive the set. `init` as in LoraConfig;
  // parameters are zero until initialize() or load_state(), and a set whose
  // up matrices are zero changes nothing. Error for a path that is no layer.
  LoraSet(Module& model, std::vector<LoraTarget> targets,
          const std::string& init = "gaussian");
  ~LoraSet() override { detach(); }

  // Lets the layers compute with the additions, and freezes their model; undone
  // by detach. ConfigError when a layer has those of another set.
  void attach();
  void detach();

  // Adds the additions to the layers' weights, times the strength, and
  // detaches. The old weights are kept, so that unmerge brings back their bits,
  // at the cost of their memory; `merge_for_good` keeps nothing.
  void merge();
  void merge_for_good();
  // Brings the weights back and attaches again. Only after merge().
  void unmerge();

  // All additions count `strength` times their scale; 1 at first. Not while
  // merged.
  void set_strength(double strength);
  double strength() const { return strength_; }

  // Dropout keyed by (seed, sample, layer); no samples: none. The samples are
  // those of the next batch's rows, until set again.
  void set_dropout(double probability, std::uint64_t seed);
  void set_dropout_samples(std::vector<std::uint64_t> samples);

  const std::vector<LoraTarget>& targets() const { return targets_; }
  Module& model() const { return model_; }

 private:
  void add_deltas();

  Module& model_;
  std::vector<LoraTarget> targets_;
  std::vector<LoraLayer> layers_;  // parallel to targets_, as the next two
  std::vector<LowRank> branches_;
  std::vector<at::Tensor> originals_;  // while merged
  LoraDropout dropout_;
  double strength_ = 1;
  bool attached_ = false;
};

}  // namespace sono
