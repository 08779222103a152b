#include "models/nn/module.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/error.h"
#include "models/nn/layers.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

class Pair : public Module {
 public:
  Pair() : first_(3, 4), second_(4, 2, /*bias=*/false) {
    add_module("first", first_);
    add_module("second", second_);
    add_buffer("steps", at::zeros({}, at::kLong));
  }
  at::Tensor operator()(const at::Tensor& x) const {
    return second_(first_(x));
  }

 private:
  Linear first_, second_;
};

StateDict state_of_ones() {
  return {{"first.weight", at::ones({4, 3})},
          {"first.bias", at::ones({4})},
          {"second.weight", at::ones({2, 4})},
          {"steps", at::full({}, 7, at::kLong)}};
}

TEST(AdoptState, TakesTheStorageAndKeepsTheHandles) {
  Pair pair;
  const NamedTensors before = pair.named_parameters();
  const StateDict state = state_of_ones();
  pair.adopt_state(state, "file");
  EXPECT_EQ(pair.state().at("first.weight").data_ptr(),
            state.at("first.weight").data_ptr());
  EXPECT_EQ(before[0].second.data_ptr(), state.at("first.weight").data_ptr());
  EXPECT_EQ(pair(at::ones({1, 3})).sum().item<float>(), 32);
  EXPECT_EQ(pair.state().at("steps").item<int>(), 7);
}

TEST(AdoptState, ConvertsToTheWantedType) {
  Pair pair;
  StateDict state = state_of_ones();
  for (auto& [name, tensor] : state) {
    if (tensor.is_floating_point()) tensor = tensor.to(at::kHalf);
  }
  pair.adopt_state(state, "file");
  EXPECT_EQ(pair.state().at("first.weight").scalar_type(), at::kFloat);
  pair.adopt_state(state, "file", at::kBFloat16);
  EXPECT_EQ(pair.state().at("first.weight").scalar_type(), at::kBFloat16);
  EXPECT_EQ(pair.state().at("steps").scalar_type(), at::kLong);
  EXPECT_EQ(pair(at::ones({1, 3}, at::kBFloat16)).sum().item<float>(), 32);
}

TEST(AdoptState, ListsAllThatDoesNotFit) {
  Pair pair;
  StateDict state = state_of_ones();
  state.erase("first.bias");
  state["first.weight"] = at::ones({3, 4});
  state["second.weight"] = at::ones({2, 4}, at::kLong);
  state["third"] = at::ones({1});
  EXPECT_ERROR(pair.adopt_state(state, "w.st"), DataError, "w.st: does not fit",
               "missing: first.bias", "shape: first.weight is [3, 4]",
               "dtype: second.weight is Long, the model wants Float",
               "unexpected: third");
  EXPECT_EQ(pair.state().at("second.weight").sum().item<float>(), 0);
}

TEST(AdoptState, NamesTensorsThatAreNotFinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float bad :
       {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    Pair pair;
    StateDict state = state_of_ones();
    state["first.weight"].data_ptr<float>()[5] = bad;
    EXPECT_ERROR(pair.adopt_state(state, "w.st"), DataError, "w.st: holds NaN",
                 "\n    first.weight");
    EXPECT_EQ(pair.state().at("first.bias").sum().item<float>(), 0);
  }
  // Finite in the file, infinite in the type that is asked for.
  Pair pair;
  StateDict state = state_of_ones();
  state["first.bias"].fill_(1e30);
  EXPECT_NO_THROW(pair.adopt_state(state, "w.st"));
  EXPECT_ERROR(pair.adopt_state(state, "w.st", at::kHalf), DataError,
               "first.bias");
  // Finite, though the sum is not.
  state["first.bias"].fill_(std::numeric_limits<float>::max());
  EXPECT_NO_THROW(pair.adopt_state(state, "w.st"));
}

TEST(Module, LargeParametersBeginAsZeros) {
  const Linear large(1024, 1024);
  EXPECT_EQ(large.weight.count_nonzero().item<std::int64_t>(), 0);
  EXPECT_TRUE(large.weight.is_contiguous());
}

}  // namespace
}  // namespace sono
