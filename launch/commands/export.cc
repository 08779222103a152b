// `sonoforge export SOURCE --out DIR`: cohorts and data sets of shards in the
// formats of other tools, with a card.

#include <cstdio>
#include <functional>
#include <memory>

#include "core/atomic_file.h"
#include "core/error.h"
#include "data/exports/card.h"
#include "data/exports/export_writer.h"
#include "data/layouts/nnunet.h"
#include "data/loader/loader.h"
#include "data/split.h"
#include "launch/commands/commands.h"
#include "launch/options/command_line.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

struct ExportRequest {
  std::vector<std::string> sources;
  std::string out, format = "nnunet", quality;
  double test_fraction = 0;
  std::uint64_t split_seed = 0;
  std::int64_t batch = 256;
  NnunetExport nnunet;
  CohortConfig cohort;
  CardConfig card;
};

// One source's images, in order; `give` is called for each.
struct Source {
  CardSource card;
  std::function<void(const std::function<void(const ExportItem&)>& give)> read;
};

Source cohort_source(const ExportRequest& request, const std::string& dir) {
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
  Source source;
  source.card.name = cohort->name();
  source.card.kind = "cohort, layout " + cohort->layout();
  source.card.images = static_cast<std::int64_t>(cohort->size());
  source.card.hashes = {{"content", cohort->content_hash()}};
  source.read = [cohort, test](const auto& give) {
    for (std::size_t i = 0; i < cohort->size(); ++i) {
      give({cohort->load(i), nullptr, test[i]});
    }
  };
  return source;
}

// The accepted pairs of a data set; they are never held out.
Source shard_source(const std::string& dir) {
  const Manifest manifest = ShardReader(dir).manifest();
  Source source;
  source.card.name = fs::canonical(dir).filename().string();
  source.card.kind = "synthetic pairs";
  source.card.images = manifest.accepted;
  source.card.made = manifest.plan.count;
  source.card.rejected = manifest.rejected;
  source.card.hashes = {{"data set", manifest.dataset_hash},
                        {"config", manifest.plan.config_hash},
                        {"weights", manifest.plan.weights_hash}};
  source.read = [dir](const auto& give) {
    LoaderConfig config;
    config.shuffle = Shuffle::kNone;
    config.accepted_only = true;
    SampleLoader loader(dir, config);
    while (auto pair = loader.next()) {
      ExportItem item;
      item.sample.id = item.sample.exam = "synthetic-" + pair->key;
      item.sample.image = pair->image;
      item.sample.mask = pair->mask;
      item.provenance = std::move(pair->provenance);
      give(item);
    }
  };
  return source;
}

// nnU-Net's writer as the others are.
class NnunetCases : public ExportWriter {
 public:
  NnunetCases(const NnunetExport& options, const fs::path& dir)
      : writer_(options, dir) {}
  void add(const ExportItem& item) override {
    writer_.add(item.sample, item.test);
  }
  void finish() override { writer_.finish(); }

 private:
  NnunetWriter writer_;
};

std::unique_ptr<ExportWriter> make_writer(const ExportRequest& request) {
  if (request.format != "nnunet") {
    return make_export_writer(request.format, request.batch, request.out);
  }
  NnunetExport options = request.nnunet;
  options.name = fs::path(request.out).filename().string();
  return std::make_unique<NnunetCases>(options, request.out);
}

nlohmann::json read_quality(const std::string& file) {
  if (file.empty()) return nullptr;
  try {
    return nlohmann::json::parse(read_file(file));
  } catch (const nlohmann::json::exception& error) {
    throw DataError(file + ": " + error.what());
  }
}

void count_item(const ExportItem& item, CardFacts& facts) {
  ++(item.test ? facts.test : facts.train);
  facts.masks += item.sample.mask.empty() ? 0 : 1;
  facts.synthetic += item.provenance.is_null() ? 0 : 1;
}

void write_all(const ExportRequest& request) {
  CardFacts facts;
  facts.format = request.format;
  facts.version = SONO_VERSION;
  facts.quality = read_quality(request.quality);
  std::vector<Source> sources;
  for (const std::string& dir : request.sources) {
    sources.push_back(fs::exists(plan_path(dir)) ? shard_source(dir)
                                                 : cohort_source(request, dir));
    facts.sources.push_back(sources.back().card);
  }
  const auto writer = make_writer(request);
  for (const Source& source : sources) {
    source.read([&](const ExportItem& item) {
      writer->add(item);
      count_item(item, facts);
    });
  }
  writer->finish();
  write_file_atomic(fs::path(request.out) / "README.md",
                    dataset_card(request.card, facts));
  std::printf("%lld cases: %s\n",
              static_cast<long long>(facts.train + facts.test),
              fs::absolute(request.out).c_str());
}

}  // namespace

int export_command(const Arguments& args) {
  ExportRequest request;
  std::string source, config;
  CommandLine line(
      "export SOURCE [--with SOURCE]... --out DIR [--format FORMAT]",
      "Writes cohorts (any layout) and data sets of shards (their accepted "
      "pairs) for other\ntools, with a card, README.md. nnunet: imagesTr, "
      "labelsTr, imagesTs, labelsTs,\ndataset.json, and a cohort.csv that "
      "brings exams, patients and spacing back.\nimagefolder: Hugging Face's, "
      "with metadata.jsonl. safetensors: batches of U8\n[N, H, W]. webdataset: "
      "tars.");
  line.argument("SOURCE", &source, "a cohort or a data set of shards");
  line.flag("with", &request.sources, "SOURCE", "another one; repeatable");
  line.flag("out", &request.out, "DIR",
            "folder to write, for instance nnUNet_raw/Dataset501_Head");
  line.flag("format", &request.format, "FORMAT",
            "nnunet, imagefolder, safetensors or webdataset");
  line.flag("batch", &request.batch, "N", "images a safetensors file or a tar");
  line.flag("quality", &request.quality, "FILE",
            "quality.json of `sonoforge quality`, for the card");
  line.flag("config", &config, "FILE", "INI file with [card] and [data]");
  line.flag("ending", &request.nnunet.ending, "ENDING",
            "of nnunet: .nii.gz, which holds the spacing, or .png");
  line.flag("label", &request.nnunet.label, "NAME",
            "of nnunet: what the foreground is called");
  line.flag("test-fraction", &request.test_fraction, "F",
            "of each cohort's exams that are held out; 0: none");
  line.flag("split-seed", &request.split_seed, "S", "of that choice");
  describe(line.config(), request.cohort);
  describe(line.config(), request.card);
  if (!line.parse(args)) return 0;
  line.load_config(config);
  request.cohort.validate();
  if (request.out.empty()) throw ConfigError("--out DIR is missing");
  check_range("--test-fraction", request.test_fraction, 0, 0.99);
  std::vector<std::string> formats = export_formats();
  formats.insert(formats.begin(), "nnunet");
  check_choice("--format", request.format, formats);
  request.sources.insert(request.sources.begin(), source);
  write_all(request);
  return 0;
}

}  // namespace sono
