// `sonoforge export SOURCE --out DIR`: a cohort or a data set of shards in
// nnU-Net's layout.

#include <cstdio>
#include <memory>

#include "core/error.h"
#include "data/layouts/nnunet.h"
#include "data/shards/manifest.h"
#include "data/shards/reader.h"
#include "data/split.h"
#include "launch/commands/commands.h"
#include "launch/options/command_line.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

struct ExportRequest {
  std::vector<std::string> sources;
  std::string out;
  double test_fraction = 0;
  std::uint64_t split_seed = 0;
  NnunetExport format;
  CohortConfig cohort;
};

void add_cohort(const ExportRequest& request, const std::string& dir,
                std::vector<NnunetCase>& cases) {
  const auto cohort = std::make_shared<Cohort>(
      open_cohort(fs::path(dir).filename().string(), dir, request.cohort));
  std::vector<bool> test(cohort->size());
  if (request.test_fraction > 0) {
    for (std::size_t i :
         split_by_exam(*cohort, request.test_fraction, request.split_seed)
             .test) {
      test[i] = true;
    }
  }
  for (std::size_t i = 0; i < cohort->size(); ++i) {
    cases.push_back({[cohort, i] { return cohort->load(i); }, test[i]});
  }
}

// The accepted pairs of a data set; they are never held out.
void add_shards(const std::string& dir, std::vector<NnunetCase>& cases) {
  const auto reader = std::make_shared<ShardReader>(dir);
  const AcceptedSamples accepted(dir);
  for (std::int64_t k = 0; k < accepted.size(); ++k) {
    const std::int64_t i = accepted.sample(*reader, k);
    cases.push_back({[reader, i] {
                       const ShardSample pair = reader->read(i);
                       Sample sample;
                       sample.id = "synthetic-" + pair.key;
                       sample.exam = sample.id;
                       sample.image = pair.image;
                       sample.mask = pair.mask;
                       return sample;
                     },
                     false});
  }
}

}  // namespace

int export_command(const Arguments& args) {
  ExportRequest request;
  std::string source;
  CommandLine line(
      "export SOURCE [--with SOURCE]... --out DIR [--set data.frames=all]",
      "Writes a cohort (any layout) or a data set of shards (its accepted "
      "pairs) as a raw\ndata set of nnU-Net: imagesTr, labelsTr, imagesTs, "
      "labelsTs, dataset.json, and a\ncohort.csv that brings exams, patients "
      "and spacing back.");
  line.argument("SOURCE", &source, "a cohort or a data set of shards");
  line.flag("with", &request.sources, "SOURCE", "another one; repeatable");
  line.flag("out", &request.out, "DIR",
            "folder to write, for instance nnUNet_raw/Dataset501_Head");
  line.flag("ending", &request.format.ending, "ENDING",
            ".nii.gz, which holds the spacing, or .png");
  line.flag("label", &request.format.label, "NAME",
            "what the foreground is called");
  line.flag("test-fraction", &request.test_fraction, "F",
            "of each cohort's exams that go to imagesTs; 0: none");
  line.flag("split-seed", &request.split_seed, "S", "of that choice");
  describe(line.config(), request.cohort);
  if (!line.parse(args)) return 0;
  line.load_config();
  request.cohort.validate();
  if (request.out.empty()) throw ConfigError("--out DIR is missing");
  check_range("--test-fraction", request.test_fraction, 0, 0.99);

  request.sources.insert(request.sources.begin(), source);
  request.format.name = fs::path(request.out).filename().string();
  std::vector<NnunetCase> cases;
  for (const std::string& dir : request.sources) {
    if (fs::exists(plan_path(dir))) {
      add_shards(dir, cases);
    } else {
      add_cohort(request, dir, cases);
    }
  }
  write_nnunet(cases, request.format, request.out);
  std::printf("%zu cases: %s\n", cases.size(),
              fs::absolute(request.out).c_str());
  return 0;
}

}  // namespace sono
