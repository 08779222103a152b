#include "experiments/leaks/leak_check.h"

#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <tuple>

#include "core/error.h"
#include "core/message.h"
#include "data/split.h"
#include "experiments/leaks/fingerprints.h"

namespace sono {
namespace {

using nlohmann::json;

// Goes up when equal images would get other numbers.
constexpr int kLeakVersion = 1;
constexpr std::size_t kMostPairs = 50;  // written out

std::string image_name(const StudyCohort& entry, std::size_t index) {
  return entry.name + "/" + entry.cohort->info(index).id;
}

// Two images of one head, or of one patient in two cohorts.
struct SharedHead {
  std::string train, test, group;
};

void check_images(const StudyCohort& entry) {
  std::set<std::size_t> trained(entry.train.begin(), entry.train.end());
  for (std::size_t i : entry.test) {
    if (!trained.count(i)) continue;
    throw DataError("the lists of cohort " + entry.name + " share image " +
                    entry.cohort->info(i).id);
  }
}

// By group of the training side: the first image that has it.
std::map<std::string, std::size_t> groups_of(
    const StudyCohort& entry, const std::vector<std::size_t>& indices,
    const std::string& (*group)(const SampleInfo&)) {
  std::map<std::string, std::size_t> groups;
  for (std::size_t i : indices) {
    const std::string& name = group(entry.cohort->info(i));
    if (!name.empty()) groups.emplace(name, i);
  }
  return groups;
}

const std::string& patient_only(const SampleInfo& info) { return info.patient; }

// Exams are numbered anew in each cohort, so that only patients say something
// about two.
std::vector<SharedHead> shared_heads(const StudyCohort& train,
                                     const StudyCohort& test) {
  const auto group = &train == &test ? split_group : patient_only;
  const auto trained = groups_of(train, train.train, group);
  std::vector<SharedHead> shared;
  for (const auto& [name, index] : groups_of(test, test.test, group)) {
    const auto found = trained.find(name);
    if (found == trained.end()) continue;
    shared.push_back(
        {image_name(train, found->second), image_name(test, index), name});
  }
  return shared;
}

void refuse_or_warn(const std::vector<SharedHead>& shared,
                    const std::string& shared_patients) {
  if (shared.empty()) return;
  const std::string text =
      std::to_string(shared.size()) +
      " exams or patients stand in training and test: " + shared[0].group +
      " with " + shared[0].train + " (training) and " + shared[0].test +
      " (test)";
  if (shared_patients == "warn") {
    log_warning(text);
    return;
  }
  throw DataError(text +
                  "; give lists that share none, leave a cohort out, or accept "
                  "it with data.shared_patients = warn");
}

// The real images that any run sees, by cohort, and all test images.
struct Side {
  const StudyCohort* cohort;
  std::size_t index;
  bool operator<(const Side& other) const {
    return std::tie(cohort->name, index) <
           std::tie(other.cohort->name, other.index);
  }
};

std::vector<Side> images_of(const RunContext& context, const Study& study,
                            const std::vector<ArmRun>& runs) {
  std::set<Side> used;
  const auto add = [&](const ArmRun& run) {
    for (std::size_t i : study.subset(run)) {
      used.insert({&study.cohort(run.cohort), i});
    }
  };
  for (const ArmRun& run : runs) {
    add(run);
    if (is_diffusion_arm(run.arm)) add(generator_run(context.recipe, run));
    if (run.arm == kResolutionArm) add(ceiling_run(context.recipe, run));
  }
  return {used.begin(), used.end()};
}

std::vector<Side> tests_of(const Study& study) {
  std::vector<Side> tests;
  for (const StudyCohort& entry : study.cohorts()) {
    for (std::size_t i : entry.test) tests.push_back({&entry, i});
  }
  return tests;
}

std::string name_of(const Side& side) {
  return image_name(*side.cohort, side.index);
}

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

json outputs_of(const Likeness& found, const std::vector<Side>& images,
                std::size_t num_train) {
  json pairs = json::array();
  for (const AlikePair& pair : found.pairs) {
    if (pairs.size() == kMostPairs) break;
    pairs.push_back({{"train", name_of(images[pair.train])},
                     {"test", name_of(images[num_train + pair.test])},
                     {"pixels", rounded(pair.pixels)},
                     {"embedding", rounded(pair.embedding)}});
  }
  return {{"train", num_train},
          {"test", images.size() - num_train},
          {"pixels", rounded(found.largest_pixels)},
          {"embedding", rounded(found.largest_embedding)},
          {"alike", found.pairs.size()},
          {"pairs", pairs}};
}

Likeness compare_images(const RunContext& context,
                        const std::vector<Side>& images, std::size_t num_train,
                        SharedSegmenter& shared) {
  std::vector<at::Tensor> pixels, embeddings;
  for (const Side& side : images) {
    context.proceed();
    const cv::Mat image = side.cohort->cohort->load(side.index).image;
    pixels.push_back(pixel_fingerprint(image));
    embeddings.push_back(
        embedding_fingerprint(shared.features.embedding(image)));
  }
  if (images.empty()) return {};
  return compare_sides(at::stack(pixels), center_rows(at::stack(embeddings)),
                       static_cast<std::int64_t>(num_train));
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f", value);
  return text;
}

std::string describe(const json& pair) {
  return pair.at("train").get<std::string>() + " (training) and " +
         pair.at("test").get<std::string>() +
         " (test) are nearly the same image: correlation of grey values " +
         number(pair.at("pixels")) + ", cosine of embeddings " +
         number(pair.at("embedding"));
}

}  // namespace

void check_shared_heads(const std::vector<StudyCohort>& cohorts,
                        const std::string& shared_patients) {
  for (const StudyCohort& train : cohorts) {
    check_images(train);
    for (const StudyCohort& test : cohorts) {
      refuse_or_warn(shared_heads(train, test), shared_patients);
    }
  }
}

StageResult find_near_duplicates(const RunContext& context, const Study& study,
                                 const std::vector<ArmRun>& runs,
                                 SharedSegmenter& shared) {
  std::vector<Side> images = images_of(context, study, runs);
  const std::size_t num_train = images.size();
  for (const Side& side : tests_of(study)) images.push_back(side);
  json names = json::array(), contents;
  for (const Side& side : images) {
    names.push_back(name_of(side));
    contents[side.cohort->name] = side.cohort->content_hash;
  }
  const json inputs = {{"version", kLeakVersion},
                       {"weights", shared.segmenter.weights_hash()},
                       {"frame", context.recipe.tune.frame},
                       {"contents", contents},
                       {"images", names},
                       {"train", num_train},
                       {"machine", context.machine}};
  return context.stages.run("leaks", inputs, [&](const std::filesystem::path&) {
    shared.encode(context, "leaks", images.size(), [&](std::size_t i) {
      return images[i].cohort->cohort->load(images[i].index).image;
    });
    json outputs;
    run_together(context.comm, [&] {
      if (!context.rank_zero()) return;
      outputs = outputs_of(compare_images(context, images, num_train, shared),
                           images, num_train);
      for (const std::string& line : leak_notices(outputs)) log_warning(line);
    });
    return outputs;
  });
}

std::vector<std::string> leak_notices(const json& outputs) {
  constexpr std::size_t kNamed = 3;
  std::vector<std::string> lines;
  if (!outputs.is_object() || !outputs.contains("pairs")) return lines;
  const json& pairs = outputs.at("pairs");
  for (std::size_t i = 0; i < pairs.size() && i < kNamed; ++i) {
    lines.push_back(describe(pairs[i]) + ".");
  }
  const auto alike = outputs.at("alike").get<std::size_t>();
  if (alike > kNamed) {
    lines.push_back(std::to_string(alike - kNamed) +
                    " more pairs of a training and a test image are nearly "
                    "the same; see \"leaks\" among the numbers' origins.");
  }
  return lines;
}

}  // namespace sono
