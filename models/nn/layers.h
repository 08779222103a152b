#pragma once
// The layers every model here is built of, with torch.nn's defaults for
// initialisation and epsilon. Inputs are fp32 [B, C, H, W] or [..., features].

#include <memory>

#include "models/nn/low_rank.h"
#include "models/nn/module.h"
#include "models/nn/winograd.h"

namespace sono {

class Linear : public Module {
 public:
  Linear(std::int64_t in_features, std::int64_t out_features, bool bias = true);
  // [..., in] -> [..., out]
  at::Tensor operator()(const at::Tensor& x) const;

  at::Tensor weight, bias;
  // Added to the layer while set (models/lora/lora_set.h); not owned.
  const LowRank* low_rank = nullptr;
  // Weights that want no gradient are multiplied by models/nn/frozen_product.h
  // (models/nn/frozen.h sets it).
  bool frozen_form = false;

 protected:
  std::vector<at::Tensor> borrowed() const override;

 private:
  // [rows, in] -> [rows, out], without the addition.
  at::Tensor multiply(const at::Tensor& rows) const;
};

struct ConvOptions {
  std::int64_t kernel = 3;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t groups = 1;
  bool bias = true;
};

class Conv2d : public Module {
 public:
  Conv2d(std::int64_t in_channels, std::int64_t out_channels,
         ConvOptions options);
  at::Tensor operator()(const at::Tensor& x) const;
  const ConvOptions& options() const { return options_; }

  at::Tensor weight, bias;
  const LowRank* low_rank = nullptr;  // as in Linear
  // A faster form of frozen weights (models/nn/frozen.h); unused while the
  // weights are not those it was made of, or want a gradient.
  std::unique_ptr<const WinogradConv> winograd;

 protected:
  std::vector<at::Tensor> borrowed() const override;

 private:
  at::Tensor convolve(const at::Tensor& x) const;

  ConvOptions options_;
};

class GroupNorm : public Module {
 public:
  GroupNorm(std::int64_t groups, std::int64_t channels, double eps = 1e-5);
  at::Tensor operator()(const at::Tensor& x) const;

  at::Tensor weight, bias;

 private:
  std::int64_t groups_;
  double eps_;
};

// Over the last dimension.
class LayerNorm : public Module {
 public:
  explicit LayerNorm(std::int64_t features, double eps = 1e-5);
  at::Tensor operator()(const at::Tensor& x) const;

  at::Tensor weight, bias;

 private:
  double eps_;
};

class Embedding : public Module {
 public:
  Embedding(std::int64_t count, std::int64_t features);
  // int64 [...] -> [..., features]
  at::Tensor operator()(const at::Tensor& index) const;

  at::Tensor weight;
};

}  // namespace sono
