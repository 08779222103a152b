#include "tests/launch/tiny_run.h"

#include "core/atomic_file.h"
#include "tests/launch/program.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

constexpr char kRecipe[] = R"([experiment]
n_real = 2
arms = none
seeds = 1
draws = 1
prompts = gt-box
synthetic_count = 4

[data]
cohorts = heads
train = heads
test_fraction = 0.5
test_limit = 1

[diffusion]
widths = 8, 16
norm_groups = 4
attention_levels = 1
attention_head_dim = 8
sampling_steps = 2

[generate]
samples_per_shard = 2

[pretrain]
steps = 1
batch_size = 2
lanes = 2
warmup_steps = 0

[adapt]
steps = 1
batch_size = 2
lanes = 2
warmup_steps = 0

[segment]
steps = 2
batch_size = 2
lanes = 2
)";

}  // namespace

TemporaryFolder* TinyRun::cohort_ = nullptr;

void TinyRun::SetUpTestSuite() {
  cohort_ = new TemporaryFolder;
  expect_result(
      "phantom --count 4 --set phantom.width=200 --set "
      "phantom.height=136 --out " +
          cohort_->path().string(),
      0, {});
}

void TinyRun::TearDownTestSuite() {
  delete cohort_;
  cohort_ = nullptr;
}

void TinyRun::SetUp() {
  if (!fs::exists(SONO_SOURCE_DIR "/.deps/weights/lite_medsam.pth")) {
    GTEST_SKIP() << "no .deps/weights/lite_medsam.pth: run launch/setup";
  }
  write_file_atomic(in("tiny.ini"), kRecipe);
}

std::string TinyRun::in(const std::string& name) const {
  return (folder_.path() / name).string();
}

std::string TinyRun::copy_cohort(const std::string& name) const {
  fs::copy(cohort_->path(), in(name), fs::copy_options::recursive);
  return in(name);
}

std::string TinyRun::run(const std::string& out,
                         const std::string& more) const {
  return "run " + in("tiny.ini") + " --out " + in(out) +
         " --set place.weights=" SONO_SOURCE_DIR
         "/.deps/weights/lite_medsam.pth --set data.heads=" +
         cohort_->path().string() + " " + more;
}

}  // namespace sono
