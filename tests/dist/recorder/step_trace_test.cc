// A trace is JSON that viewers take: complete slices that lie beside or inside
// one another on every row.

#include "dist/recorder/step_trace.h"

#include <gtest/gtest.h>

#include <thread>

#include "dist/recorder/flight_recorder.h"
#include "tests/data/shards/temporary_folder.h"
#include "tests/dist/recorder/nested_slices.h"
#include "tests/dist/recorder/recorder_options.h"

namespace sono {
namespace {

class StepTraceTest : public ::testing::Test {
 protected:
  nlohmann::json events() const {
    return nlohmann::json::parse(recorder_.trace_json(trace_))
        .at("traceEvents");
  }
  TemporaryFolder folder_;
  FlightRecorder recorder_{recorder_options(folder_.path(), 3)};
  StepTrace trace_{3, "host3"};
};

TEST_F(StepTraceTest, PhasesPiecesAndOperationsNest) {
  recorder_.set_trace(&trace_);
  {
    const TraceSlice step(&recorder_, "step", 7);
    for (int lane = 0; lane < 2; ++lane) {
      const TraceSlice slice(&recorder_, "lane");
      const PhaseMark forward(&recorder_, Phase::kForward, 6);
      const PhaseMark backward(&recorder_, Phase::kBackward, 6);
    }
    std::thread communication([&] {
      const BucketMark mark(&recorder_, 5);
      recorder_.done(recorder_.begin_now({"gradient scatter", 0, 1, 64}));
    });
    communication.join();
    const PhaseMark reduce(&recorder_, Phase::kReduce, 6);
    recorder_.done(recorder_.begin_now({"gradient norm", 0, 2, 8}));
  }
  recorder_.set_trace(nullptr);
  recorder_.set_phase(Phase::kSave, 7);  // no longer traced

  const auto all = events();
  expect_nested(all);
  EXPECT_EQ(count_slices(all, "step 7"), 1);
  EXPECT_EQ(count_slices(all, "lane"), 2);
  EXPECT_EQ(count_slices(all, "backward"), 2);
  EXPECT_EQ(count_slices(all, "save"), 0);
  EXPECT_EQ(row_of(all, "gradient norm"), row_of(all, "step 7"));
  EXPECT_EQ(row_of(all, "bucket 5"), row_of(all, "gradient scatter"));
  EXPECT_NE(row_of(all, "bucket 5"), row_of(all, "step 7"));
  EXPECT_EQ(row_name(all, row_of(all, "step 7")), "computation");
  EXPECT_EQ(row_name(all, row_of(all, "bucket 5")), "communication");
  for (const auto& event : all) EXPECT_EQ(event.at("pid"), 3);
}

TEST_F(StepTraceTest, TheBucketIsRecordedWithItsOperations) {
  {
    const BucketMark mark(&recorder_, 4);
    recorder_.begin_now({"gradient scatter", 0, 1, 64});
  }
  recorder_.begin_now({"gradient norm", 0, 2, 64});
  const auto view = recorder_.view();
  ASSERT_EQ(view.operations.size(), 2u);
  EXPECT_EQ(view.operations[0].bucket, 4);
  EXPECT_EQ(view.operations[1].bucket, -1);
}

TEST_F(StepTraceTest, NamesAreEscaped) {
  recorder_.set_trace(&trace_);
  { const TraceSlice slice(&recorder_, "a \"name\"\n\\"); }
  recorder_.set_trace(nullptr);
  EXPECT_EQ(count_slices(events(), "a \"name\"\n\\"), 1);
}

// The check itself: overlapping slices are no nest.
TEST(NestedSlicesTest, AnOverlapIsSeen) {
  StepTrace trace(0, "host");
  trace.add("slice", "a", 0, 2000);
  trace.add("slice", "b", 1000, 3000);
  EXPECT_FALSE(
      are_nested(nlohmann::json::parse(trace.json(0)).at("traceEvents")));
}

}  // namespace
}  // namespace sono
