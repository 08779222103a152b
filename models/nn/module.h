#pragma once
// A tree of named parameters over plain ATen tensors.
//
// Why not torch::nn: its headers cost 20-40 s of compile time a file, its
// default initialisation depends on the order of construction, and a trainer
// that keeps parameters in its own arena needs little more than names. Members
// carry the published checkpoint's names, so state dicts load with no map.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sono {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;
using StateDict = std::map<std::string, at::Tensor>;

// How a parameter starts, as torch.nn's defaults do.
struct Initializer {
  enum class Kind { kConstant, kUniform, kNormal };
  Kind kind = Kind::kConstant;
  double value = 0;  // the constant, the bound, or the standard deviation
};

// Not copyable or movable: a parent keeps pointers to its children, which are
// its members. One thread at a time.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // In registration order, with dotted names ("mask_decoder.iou_token.weight").
  NamedTensors named_parameters() const;
  // Of others, that this tree computes with: the low-rank additions of its
  // layers. Not among its own.
  std::vector<at::Tensor> borrowed_parameters() const;
  // Tensors that are saved but not trained (batch-norm statistics).
  NamedTensors named_buffers() const;

  // This module (an empty path) and all below it with their dotted paths
  // ("mask_decoder.iou_token"), in registration order.
  std::vector<std::pair<std::string, Module*>> named_modules();

  // Draws every parameter from (seed, its name); the order does not matter.
  void initialize(std::uint64_t seed);
  // Copies `state` into parameters and buffers. Strict: DataError lists every
  // missing, unexpected or misshapen key. `source` names the file.
  void load_state(const StateDict& state, const std::string& source);
  // As load_state, but takes the tensors' storage in place of copying: a mapped
  // weight file becomes the parameters, and 3 GB of them are ready at once.
  // Parameters become `dtype`; tensors of another are converted, integers are
  // refused, as are NaN and infinity (after the conversion), by name.
  // The handles that modules keep stay good; the caller gives its tensors up.
  void adopt_state(const StateDict& state, const std::string& source,
                   at::ScalarType dtype = at::kFloat);
  // Parameters and buffers by name; the tensors share storage with the module.
  StateDict state() const;
  void requires_grad(bool value);
  // Moves parameters and buffers; the handles that modules keep stay good. What
  // a module made from them before has to be made again.
  void to(const at::Device& device);
  // Of the first parameter or buffer; the CPU where there is none.
  at::Device device() const;
  // The modules of this tree that run as one block (models/nn/recompute.h), in
  // registration order.
  std::vector<const Module*> blocks() const;

 protected:
  virtual bool is_block() const { return false; }
  // What this module alone borrows.
  virtual std::vector<at::Tensor> borrowed() const { return {}; }
  // Creates an fp32 parameter; keep the returned handle as a member.
  at::Tensor add_parameter(const std::string& name, at::IntArrayRef shape,
                           Initializer initializer = {});
  at::Tensor add_buffer(const std::string& name, at::Tensor value);
  // `child` must be a member (or owned by one) of this module.
  void add_module(const std::string& name, Module& child);

 private:
  struct Parameter {
    std::string name;
    at::Tensor tensor;
    Initializer initializer;
  };
  template <class Visitor>
  void visit(const std::string& prefix, const Visitor& visitor) const;
  void check_fits(const StateDict& state, const std::string& source) const;

  std::vector<Parameter> parameters_;
  NamedTensors buffers_;
  std::vector<std::pair<std::string, Module*>> children_;
};

}  // namespace sono
