#pragma once
// The small network of tests/parity/lora.py: diffusers' module names, one
// resnet, one transformer with self and cross attention, one downsampler.

#include <string>

#include "models/lora/lora_file.h"
#include "models/nn/layers.h"

namespace sono {

struct TinyAttention : Module {
  TinyAttention(std::int64_t width, std::int64_t context);
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& context) const;
  Linear to_q, to_k, to_v, to_out_0;
};

struct TinyNet : Module {
  TinyNet();
  // x [B, 2, 5, 4], context [B, 3, 5], emb [B, 3] -> [B, 6, 3, 2]
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& context,
                        const at::Tensor& emb) const;
  Conv2d conv_in, conv1, proj_in, proj_out, conv;
  Linear time_emb_proj, ff_in, ff_out;
  TinyAttention attn1, attn2;
};

std::string lora_fixture(const std::string& name);

// The fixture's weights and inputs.
struct TinyFixture {
  TinyFixture();
  at::Tensor run() const;
  NamedModels models() { return {{"unet", &net}}; }

  StateDict base;
  TinyNet net;
};

// Of the largest value of `b`: the outputs reach into the hundreds.
double difference(const at::Tensor& a, const at::Tensor& b);

}  // namespace sono
