// The reduction gives the bits of one fixed tree, whoever runs the lanes.

#include "dist/lane_reducer.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/random.h"
#include "tests/dist/test_world.h"

namespace sono {
namespace {

NamedTensors two_tensors() {
  return {{"weight", at::zeros({5, 31})}, {"bias", at::zeros({70})}};
}

// Gradients that make the order of additions visible.
std::vector<at::Tensor> lane_gradients(int lane) {
  Random random(make_key("test.lane", 1, lane));
  std::vector<at::Tensor> gradients;
  for (const auto& [name, tensor] : two_tensors()) {
    at::Tensor gradient = at::empty(tensor.sizes(), at::kFloat);
    random.fill_normal(gradient.data_ptr<float>(), gradient.numel());
    gradients.push_back(gradient * std::pow(10.0, lane % 5));
  }
  return gradients;
}

double lane_scalar(int lane) { return 1.0 / (lane + 3); }

// The definition, by recursion: node over lanes [begin, begin + width).
at::Tensor tree_sum(const Layout& layout, int begin, int width, int lanes) {
  if (width == 1) {
    at::Tensor flat = at::zeros({layout.size()});
    const NamedTensors views = layout.views(flat);
    const auto gradients = lane_gradients(begin);
    for (std::size_t i = 0; i < views.size(); ++i) {
      views[i].second.copy_(gradients[i]);
    }
    return flat;
  }
  const int half = width / 2;
  const at::Tensor left = tree_sum(layout, begin, half, lanes);
  if (begin + half >= lanes) return left;
  return left + tree_sum(layout, begin + half, half, lanes);
}

int tree_width(int lanes) {
  int width = 1;
  while (width < lanes) width *= 2;
  return width;
}

class LaneReducerTest : public ::testing::TestWithParam<std::tuple<int, int>> {
};

TEST_P(LaneReducerTest, EqualsTheTreeBitForBit) {
  const auto [ranks, lanes] = GetParam();
  run_world(ranks, [num_lanes = lanes](Communicator& comm) {
    const Layout layout(two_tensors());
    LaneReducer reducer(comm, layout, num_lanes, 1, at::kCPU);
    const at::Tensor expected =
        tree_sum(layout, 0, tree_width(num_lanes), num_lanes);
    double scalars = 0;
    for (int step = 0; step < 2; ++step) {  // the second uses old buffers
      const auto [first, last] = reducer.lanes();
      for (int lane = first; lane < last; ++lane) {
        reducer.add_lane(lane_gradients(lane), {lane_scalar(lane)});
      }
      at::Tensor out = at::full({layout.size()}, -1.0f);
      const LaneSums sums = reducer.finish(out, comm.rank() == 0);
      EXPECT_TRUE(at::equal(out, expected));
      EXPECT_EQ(sums.votes, 1);
      if (step == 1) {
        EXPECT_EQ(scalars, sums.scalars.at(0));
      }
      scalars = sums.scalars.at(0);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(RanksAndLanes, LaneReducerTest,
                         ::testing::Combine(::testing::Values(1, 2, 3, 4, 5, 6,
                                                              8, 11),
                                            ::testing::Values(1, 3, 5, 8, 12)));

TEST(LaneReducerTest, TreeIsNotALeftFold) {
  // The negative control: these gradients do tell one order from another.
  const Layout layout(two_tensors());
  at::Tensor fold = tree_sum(layout, 0, 1, 8);
  for (int lane = 1; lane < 8; ++lane) {
    fold = fold + tree_sum(layout, lane, 1, 8);
  }
  EXPECT_FALSE(at::equal(fold, tree_sum(layout, 0, 8, 8)));
}

TEST(LaneReducerTest, ParameterWithoutGradientIsNamed) {
  run_world(2, [](Communicator& comm) {
    const Layout layout(two_tensors());
    LaneReducer reducer(comm, layout, 4, 0, at::kCPU);
    const auto [first, last] = reducer.lanes();
    for (int lane = first; lane < last; ++lane) {
      auto gradients = lane_gradients(lane);
      gradients[1] = at::Tensor();
      reducer.add_lane(gradients, {});
    }
    at::Tensor out = at::zeros({layout.size()});
    try {
      reducer.finish(out, false);
      ADD_FAILURE() << "accepted";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("parameter bias"),
                std::string::npos);
    }
  });
}

TEST(LaneReducerTest, GradientInOneLaneIsEnough) {
  run_world(2, [](Communicator& comm) {
    const Layout layout(two_tensors());
    LaneReducer reducer(comm, layout, 4, 0, at::kCPU);
    const auto [first, last] = reducer.lanes();
    for (int lane = first; lane < last; ++lane) {
      auto gradients = lane_gradients(lane);
      if (lane != 2) gradients[1] = at::Tensor();
      reducer.add_lane(gradients, {});
    }
    at::Tensor out = at::zeros({layout.size()});
    reducer.finish(out, false);
    EXPECT_TRUE(at::equal(layout.views(out)[1].second, lane_gradients(2)[1]));
  });
}

TEST(LayoutTest, PartsAreDisjointAlignedAndCover) {
  const Layout layout(two_tensors());
  EXPECT_EQ(layout.size() % 64, 0);
  for (const int parts : {1, 2, 3, 5, 9}) {
    std::int64_t next = 0;
    for (int i = 0; i < parts; ++i) {
      const auto [begin, end] = layout.part(parts, i);
      EXPECT_EQ(begin, next);
      EXPECT_EQ(begin % 64, 0);
      next = end;
    }
    EXPECT_EQ(next, layout.size());
  }
}

TEST(LayoutTest, TwoEqualNamesAreRefused) {
  EXPECT_THROW(Layout({{"w", at::zeros({1})}, {"w", at::zeros({1})}}), Error);
}

}  // namespace
}  // namespace sono
