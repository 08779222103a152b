// What `sonoforge run` says of bad input, and how it ends.

#include <sys/mount.h>

#include <fstream>

#include "core/atomic_file.h"
#include "data/image_file.h"
#include "tests/launch/program.h"
#include "tests/launch/tiny_run.h"
#include "tests/models/io/zip_writer.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

using RunBadInput = TinyRun;

constexpr char kImage[] = "/training_set/001_HC.png";
constexpr char kMask[] = "/training_set/001_HC_Annotation.png";

TEST_F(RunBadInput, MissingRecipe) {
  expect_result("run", 2, {"RECIPE.ini"});
  expect_result("run " + in("none.ini"), 2, {in("none.ini"), "no such"});
}

TEST_F(RunBadInput, UnknownKeyNamesTheNearest) {
  expect_result(run("out", "--set segment.stesp=3"), 2,
                {"'segment.stesp'", "'segment.steps'"});
  std::ofstream(in("tiny.ini"), std::ios::app) << "stepz = 3\n";
  expect_result(run("out"), 2, {"tiny.ini", "segment.stepz", "segment.steps"});
}

TEST_F(RunBadInput, ValueOutOfRange) {
  expect_result(run("out", "--set segment.steps=0"), 2,
                {"option segment.steps = 0 is outside 1.."});
  expect_result(run("out", "--set segment.steps=many"), 2,
                {"segment.steps", "many"});
  expect_result(run("out", "--set experiment.arms=conkat"), 2,
                {"experiment.arms", "conkat", "concat"});
  expect_result(run("out", "--wall-minutes -1"), 2, {"--wall-minutes"});
  EXPECT_FALSE(fs::exists(in("out")));
}

TEST_F(RunBadInput, CohortThatIsNotInTheList) {
  expect_result(run("out", "--set data.haeds=x"), 2,
                {"data.haeds", "data.cohorts", "data.heads"});
  expect_result(run("out", "--set data.cohorts=heads,spain"), 2,
                {"data.spain", "--set data.spain=FOLDER"});
}

TEST_F(RunBadInput, MissingDataFolder) {
  expect_result(run("out", "--set data.heads=" + in("none")), 2,
                {"data.heads", in("none")});
  fs::create_directory(in("empty"));
  expect_result(run("out", "--set data.heads=" + in("empty")), 3,
                {in("empty"), "no images"});
}

TEST_F(RunBadInput, MoreRealImagesThanThereAre) {
  expect_result(run("out", "--set experiment.n_real=3"), 2,
                {"experiment.n_real = 3", "2 training images"});
}

TEST_F(RunBadInput, CorruptImage) {
  const std::string cohort = copy_cohort("cohort");
  fs::resize_file(cohort + kImage, 900);
  expect_result(run("out", "--set data.heads=" + cohort), 3,
                {cohort + kImage, "damaged PNG"});
}

TEST_F(RunBadInput, MaskOfAnotherSize) {
  const std::string cohort = copy_cohort("cohort");
  write_png(cohort + kMask, cv::Mat(100, 160, CV_8UC1, cv::Scalar(255)));
  expect_result(run("out", "--set data.heads=" + cohort), 3,
                {cohort + kMask, "160x100", "200x136"});
}

TEST_F(RunBadInput, EmptyMask) {
  const std::string cohort = copy_cohort("cohort");
  write_png(cohort + kMask, cv::Mat(136, 200, CV_8UC1, cv::Scalar(0)));
  expect_result(run("out", "--set data.heads=" + cohort), 3,
                {cohort + kMask, "empty mask"});
}

TEST_F(RunBadInput, WeightsThatAreNotThereOrTruncated) {
  const std::string file = in("weights.pth");
  const std::string arguments = run("out", "--set place.weights=" + file);
  expect_result(arguments, 2, {"place.weights", file, "no such file"});
  fs::copy_file(SONO_SOURCE_DIR "/.deps/weights/lite_medsam.pth", file);
  fs::resize_file(file, 100'000);
  expect_result(arguments, 3, {file, "truncated"});
}

TEST_F(RunBadInput, HostileWeightsRunNothing) {
  const std::string call = "(" + testing::text("touch " + in("touched")) + "tR";
  write_file_atomic(
      in("weights.pth"),
      testing::zip_bytes(
          {{"made/data.pkl",
            testing::dict_with(testing::global("os", "system") + call)}}));
  expect_result(run("out", "--set place.weights=" + in("weights.pth")), 3,
                {in("weights.pth"), "os.system"});
  EXPECT_FALSE(fs::exists(in("touched")));
}

TEST_F(RunBadInput, FolderOfAnotherConfig) {
  const std::string stop_at_once = " --wall-minutes 0.00001";
  expect_result(run("out", stop_at_once), 75, {"run the same command again"});
  const std::string other = stop_at_once + " --set segment.steps=3";
  expect_result(run("out", other), 2,
                {in("out") + ": made by another config", "--update",
                 "segment.steps: 2 -> 3"});
  expect_result(run("out", other + " --update"), 75,
                {"run the same command again"});
  expect_result(run("out", stop_at_once), 2, {"segment.steps: 3 -> 2"});
}

// A file system of 64 KiB, unmounted at the end.
class SmallDisk {
 public:
  explicit SmallDisk(fs::path path) : path_(std::move(path)) {
    fs::create_directory(path_);
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=64k") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount(path_.c_str());
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }

 private:
  fs::path path_;
  bool mounted_ = false;
};

TEST_F(RunBadInput, FullDisk) {
  const SmallDisk disk(in("disk"));
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs is not permitted";
  const std::vector<std::string> said = {in("disk/"), "No space left"};
  expect_result(run("disk/run"), 6, said);
  expect_result("phantom --count 3 --out " + in("disk/phantoms"), 6, said);
}

}  // namespace
}  // namespace sono
