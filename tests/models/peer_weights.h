#pragma once
// A fixture of tests/parity/networks.py: a peer's inputs, outputs and config;
// its weights are drawn from the parameters' names, on both sides alike.

#include <string>

#include "models/io/config_json.h"
#include "models/nn/module.h"

namespace sono {

// Sets every parameter; `prefix` stands before the names of a part of a model.
void draw_peer_weights(Module& module, const std::string& prefix = "");
at::Tensor drawn_peer_weight(const std::string& name, at::IntArrayRef shape);

class PeerFixture {
 public:
  // tests/parity/fixtures/NAME.safetensors, or the one of that name in the
  // folder that NETWORKS_FIXTURES names.
  explicit PeerFixture(const std::string& name);

  const at::Tensor& operator[](const std::string& key) const;
  const StateDict& tensors() const { return tensors_; }
  ConfigJson config() const;
  // Whether it is of a published size, from NETWORKS_FIXTURES.
  bool full() const { return full_; }

  // Largest difference of `got` and the tensor `key`, with the shapes checked.
  double difference(const at::Tensor& got, const std::string& key) const;
  // The same, said on standard output when the fixture is of full size.
  double error(const at::Tensor& got, const std::string& key) const;

 private:
  std::string path_;
  bool full_;
  StateDict tensors_;
};

// ||a - b|| / ||b||
double relative_error(const at::Tensor& a, const at::Tensor& b);

}  // namespace sono
