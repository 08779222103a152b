// The text that node exporter's textfile collector reads.

#include "core/metrics_file.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/atomic_file.h"
#include "core/error.h"
#include "tests/core/expect_error.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

TEST(MetricsFileTest, IsTheExpositionFormat) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "run.prom";
  {
    MetricsFile metrics(path, {{"run", "a \"b\"\\c\nd"}});
    metrics.count("sono_steps_total", "Steps\nand a \\.", 2, {{"t", "x"}});
    metrics.count("sono_steps_total", "Steps\nand a \\.", 1, {{"t", "x"}});
    metrics.count("sono_steps_total", "Steps\nand a \\.", 5, {{"t", "y"}});
    metrics.set("sono_loss", "Loss.", 0.1);
    metrics.set("sono_loss", "Loss.", 0.25);
    metrics.set("sono_bad", "Bad.", std::nan(""));
  }
  const std::string run = "run=\"a \\\"b\\\"\\\\c\\nd\"";
  EXPECT_EQ(read_file(path),
            "# HELP sono_bad Bad.\n# TYPE sono_bad gauge\nsono_bad{" + run +
                "} NaN\n# HELP sono_loss Loss.\n# TYPE sono_loss gauge\n"
                "sono_loss{" +
                run +
                "} 0.25\n# HELP sono_steps_total Steps\\nand a \\\\.\n"
                "# TYPE sono_steps_total counter\nsono_steps_total{" +
                run + ",t=\"x\"} 3\nsono_steps_total{" + run + ",t=\"y\"} 5\n");
}

TEST(MetricsFileTest, CountersNeverFall) {
  const TemporaryFolder folder;
  MetricsFile metrics(folder.path() / "run.prom", {});
  metrics.count("n_total", "N.", 3);
  metrics.count("n_total", "N.", -1);
  metrics.count("n_total", "N.", std::nan(""));
  EXPECT_NE(metrics.text().find("n_total 3\n"), std::string::npos);
  EXPECT_THROW(metrics.count("n", "N.", 1), Error);
}

TEST(MetricsFileTest, RefusesWhatNobodyWouldRead) {
  const TemporaryFolder folder;
  EXPECT_ERROR(MetricsFile(folder.path() / "run.txt", {}), ConfigError,
               ".prom");
  std::filesystem::create_directory(folder.path() / "taken.prom");
  EXPECT_ERROR(MetricsFile(folder.path() / "taken.prom", {}), ConfigError,
               "cannot be written");
}

TEST(MetricsFileTest, LeavesNoTemporaryFiles) {
  const TemporaryFolder folder;
  { MetricsFile metrics(folder.path() / "run.prom", {}); }
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_EQ(entry.path().filename(), "run.prom");
    ++files;
  }
  EXPECT_EQ(files, 1);
}

}  // namespace
}  // namespace sono
