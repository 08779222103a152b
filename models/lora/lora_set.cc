#include "models/lora/lora_set.h"

#include <cmath>
#include <map>

#include "core/check.h"

namespace sono {
namespace {

Initializer start_of(const std::string& init, const LoraTarget& target,
                     const std::vector<std::int64_t>& shape) {
  if (init == "gaussian") {
    return {Initializer::Kind::kNormal, 1.0 / double(target.rank)};
  }
  SONO_CHECK(init == "kaiming", "lora init " << init);
  double fan_in = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) fan_in *= double(shape[i]);
  return {Initializer::Kind::kUniform, 1.0 / std::sqrt(fan_in)};
}

}  // namespace

LoraSet::LoraSet(Module& model, std::vector<LoraTarget> targets,
                 const std::string& init)
    : model_(model), targets_(std::move(targets)) {
  std::map<std::string, LoraLayer> by_path;
  for (const LoraLayer& layer : lora_layers(model)) {
    by_path[layer.path] = layer;
  }
  for (const LoraTarget& target : targets_) {
    const auto found = by_path.find(target.path);
    SONO_CHECK(found != by_path.end(), target.path << " is no layer");
    const LoraLayer& layer = found->second;
    const auto down = layer.down_shape(target.rank);
    LowRank branch;
    branch.path = target.path;
    branch.down = add_parameter(target.path + ".lora_A.weight", down,
                                start_of(init, target, down));
    branch.up = add_parameter(target.path + ".lora_B.weight",
                              layer.up_shape(target.rank));
    branch.scale = target.scale();
    branch.dropout = &dropout_;
    layers_.push_back(layer);
    branches_.push_back(std::move(branch));
  }
  attach();
}

void LoraSet::attach() {
  if (attached_) return;
  SONO_CHECK(originals_.empty(), "a merged LoRA cannot be attached as well");
  for (const LoraLayer& layer : layers_) {
    if (layer.low_rank() == nullptr) continue;
    throw ConfigError(layer.path +
                      " has a LoRA already; merge it before adding another");
  }
  model_.requires_grad(false);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].low_rank() = &branches_[i];
  }
  attached_ = true;
}

void LoraSet::detach() {
  if (!attached_) return;
  for (const LoraLayer& layer : layers_) layer.low_rank() = nullptr;
  attached_ = false;
}

void LoraSet::merge() {
  SONO_CHECK(originals_.empty(), "the LoRA is merged already");
  for (const LoraLayer& layer : layers_) {
    originals_.push_back(layer.weight().detach().clone());
  }
  add_deltas();
}

void LoraSet::merge_for_good() {
  SONO_CHECK(originals_.empty(), "the LoRA is merged already");
  add_deltas();
}

void LoraSet::add_deltas() {
  detach();
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const at::Tensor weight = layers_[i].weight();
    weight.copy_(weight.to(at::kFloat) + branches_[i].delta());
  }
}

void LoraSet::unmerge() {
  SONO_CHECK_EQ(originals_.size(), layers_.size());
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].weight().copy_(originals_[i]);
  }
  originals_.clear();
  attach();
}

void LoraSet::set_strength(double strength) {
  SONO_CHECK(originals_.empty(), "the LoRA is merged");
  strength_ = strength;
  for (std::size_t i = 0; i < branches_.size(); ++i) {
    branches_[i].scale = targets_[i].scale() * strength;
  }
}

void LoraSet::set_dropout(double probability, std::uint64_t seed) {
  dropout_.probability = probability;
  dropout_.seed = seed;
}

void LoraSet::set_dropout_samples(std::vector<std::uint64_t> samples) {
  dropout_.samples = std::move(samples);
  if (dropout_.probability == 0) dropout_.samples.clear();
}

}  // namespace sono
