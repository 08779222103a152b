// `sonoforge phantom`: a labelled phantom cohort in HC18's layout.

#include <algorithm>
#include <cstdio>

#include "core/error.h"
#include "core/option.h"
#include "core/progress.h"
#include "data/phantom/write_cohort.h"
#include "launch/commands/commands.h"
#include "launch/options/command_line.h"

namespace sono {
namespace {

constexpr std::uint64_t kImagesPerUpdate = 10;

void write_with_progress(const PhantomCohort& cohort, const std::string& out) {
  Progress progress("phantoms", static_cast<std::int64_t>(cohort.count),
                    "images");
  for (std::uint64_t begin = 0; begin < cohort.count;
       begin += kImagesPerUpdate) {
    const std::uint64_t end = std::min(cohort.count, begin + kImagesPerUpdate);
    write_phantom_images(cohort, out, begin, end);
    progress.update(static_cast<std::int64_t>(end));
  }
  progress.finish();
  write_phantom_tables(cohort, out);
}

}  // namespace

int phantom_command(const Arguments& args) {
  PhantomCohort cohort;
  std::string out, annotation = "outline";
  CommandLine line(
      "phantom --out DIR --count N --seed S",
      "Writes fetal-head ultrasound phantoms with exact labels in "
      "HC18's layout. What is\nthere already is kept, so a stopped "
      "command goes on where it was.");
  line.flag("out", &out, "DIR", "folder to write");
  line.flag("count", &cohort.count, "N", "images, 1 .. 1000000");
  line.flag("seed", &cohort.phantom.seed, "S", "seed of the cohort");
  line.flag("style", &cohort.phantom.style, "NAME",
            "scanner: curved (console) or portable (hand-held)");
  line.flag("annotation", &annotation, "KIND",
            "outline (as HC18 was released) or filled");
  describe(line.config(), cohort.phantom);
  if (!line.parse(args)) return 0;
  line.load_config();
  if (out.empty())
    throw ConfigError("--out DIR is missing: the folder to write");
  check_range("--count", static_cast<double>(cohort.count), 1, 1e6);
  check_choice("--annotation", annotation, {"outline", "filled"});
  if (annotation == "filled") cohort.annotation = AnnotationKind::kFilled;
  write_with_progress(cohort, out);
  std::printf("%s: %llu phantoms\n", out.c_str(),
              static_cast<unsigned long long>(cohort.count));
  return 0;
}

}  // namespace sono
