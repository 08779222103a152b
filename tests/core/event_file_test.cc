// An event file that grows is the file written at once; the bytes of one are
// compared with TensorBoard's own writer in tests/experiments/report.

#include "core/event_file.h"

#include <gtest/gtest.h>

#include "core/atomic_file.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

TEST(EventFileTest, GrowsToTheFileWrittenAtOnce) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "tune" / kEventFile;
  const std::vector<ScalarEvent> all = {{10, 1, "train/loss", 0.5f},
                                        {11, 2, "train/loss", 0.25f}};
  {
    EventFile file(path, std::span(all).first(1));
    file.add(std::span(all).subspan(1));
  }
  EXPECT_EQ(read_file(path), encode_events(all));
  { EventFile again(path, {}); }
  EXPECT_EQ(read_file(path), encode_events({}));
}

TEST(EventFileTest, AStepsLineGivesItsScalars) {
  const auto line = nlohmann::json::parse(
      R"({"event":"step","label":"tune","time":5.5,"step":3,"loss":0.5,)"
      R"("lr":1e-4,"norm":null,"seconds":{"step":2.0,"compute":1.5}})");
  const auto scalars = step_scalars(line);
  ASSERT_EQ(scalars.size(), 4u);
  EXPECT_EQ(scalars[0].tag, "train/loss");
  EXPECT_EQ(scalars[0].time, 5.5);
  EXPECT_EQ(scalars[0].step, 3);
  EXPECT_EQ(scalars[2].tag, "seconds/compute");
  EXPECT_EQ(scalars[2].value, 1.5f);
  EXPECT_TRUE(step_scalars({{"event", "stage"}, {"label", "x"}}).empty());
}

}  // namespace
}  // namespace sono
