#include "launch/doctor/doctor.h"

#include <ATen/Parallel.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <set>

#include "core/atomic_file.h"
#include "core/error.h"
#include "experiments/plan/scaling.h"
#include "experiments/plan/space.h"
#include "launch/doctor/folder_probe.h"
#include "launch/doctor/image_rate.h"
#include "launch/doctor/network.h"
#include "launch/doctor/rank_facts.h"

namespace sono {
namespace {

constexpr double kSecondsOfImages = 0.5;

class Doctor {
 public:
  Doctor(const DoctorOptions& options, Communicator& comm)
      : options_(options), comm_(comm), color_(::isatty(STDOUT_FILENO) == 1) {}

  int run() {
    look_at_ranks();
    look_at_network();
    for (const auto& folder : options_.folders) look_at_folder(folder);
    look_at_images();
    if (options_.recipe != nullptr) {
      look_at_recipe();
      predict();
    }
    return finish();
  }

 private:
  void section(const std::string& title) {
    if (comm_.rank() == 0) std::printf("%s\n", title.c_str());
  }

  // What came since the last call; rank 0 alone speaks.
  void tell() {
    if (comm_.rank() != 0) return;
    for (; told_ < findings_.all().size(); ++told_) {
      std::fputs(finding_text(findings_.all()[told_], color_).c_str(), stdout);
    }
    std::fflush(stdout);
  }

  void look_at_ranks() {
    section("hosts, machine, libraries, devices");
    ranks_ = gather_facts(comm_);
    hosts_ = hosts_of(ranks_);
    const bool gpus =
        options_.recipe != nullptr && options_.recipe->place.device != "cpu";
    judge_ranks(ranks_, {options_.threads, gpus}, findings_);
    for (const RankFacts& rank : ranks_)
      json_["ranks"].push_back(to_json(rank));
    tell();
  }

  void look_at_network() {
    section("network");
    network_ =
        measure_network(comm_, hosts_, std::int64_t{options_.network_mb} << 20);
    judge_network(network_, hosts_, crowded(ranks_), findings_);
    json_["network"] = to_json(network_);
    if (comm_.rank() == 0 && !network_.all_reduce.empty()) {
      std::fputs(bandwidth_table(network_).c_str(), stdout);
    }
    tell();
  }

  void look_at_folder(const std::filesystem::path& folder) {
    section("folder " + folder.string());
    FolderProbe probe;
    probe.folder = folder;
    probe.bytes = std::int64_t{options_.disk_mb} << 20;
    const auto facts = probe_folder(comm_, probe);
    judge_folder(folder, facts, hosts_, findings_);
    for (const FolderFacts& rank : facts) {
      json_["folders"][folder.string()].push_back(to_json(rank));
    }
    tell();
  }

  void look_at_images() {
    section("images");
    const ImageRate rate = measure_image_rate(comm_, kSecondsOfImages);
    const double all =
        std::accumulate(rate.per_second.begin(), rate.per_second.end(), 0.0);
    char text[160];
    std::snprintf(
        text, sizeof(text),
        "all ranks at once decode %.0f PNG images of %d x %d px a "
        "second, the slowest rank %.0f",
        all, rate.width, rate.height,
        *std::min_element(rate.per_second.begin(), rate.per_second.end()));
    findings_.note("images", text);
    json_["images"] = {{"width", rate.width},
                       {"height", rate.height},
                       {"file_bytes", rate.file_bytes},
                       {"per_second_by_rank", rate.per_second}};
    tell();
  }

  void look_at_recipe() {
    section("recipe: " + options_.recipe->experiment.title);
    const Recipe& recipe = *options_.recipe;
    try {
      run_together(comm_, [&] {
        recipe.check_lanes(comm_.world_size());
        plan_ = make_plan(recipe);
        if (comm_.rank() == 0) judge_space(recipe);
      });
      for (const std::string& missing : plan_.missing) {
        findings_.fail("recipe", missing, "a run would end with exit code 2",
                       2);
      }
    } catch (const Error& error) {
      findings_.fail("recipe", error.what(), "a run would end with this error",
                     error.exit_code());
    }
    tell();
  }

  // Of rank 0's host; the folder is one for all.
  void judge_space(const Recipe& recipe) {
    const SpaceNeed need = space_need(recipe, plan_);
    const DiskSpace space = disk_space(options_.out);
    json_["space"] = {{"needed_bytes_at_most", need.most_bytes},
                      {"needed_bytes_at_least", need.least_bytes},
                      {"needed_files", need.files},
                      {"free_bytes", space.free_bytes},
                      {"free_files", space.free_files}};
    const std::string remedy = "make room, or name another folder with --out";
    const std::string text = options_.out.string() + ": the recipe takes " +
                             need.text() + "; " + space_text(space);
    if (need.exceeds(space)) {
      findings_.fail("space", text, remedy, 6);
    } else if (need.may_exceed(space)) {
      findings_.warn("space", text, remedy);
    } else {
      findings_.fine("space", text);
    }
  }

  void predict() {
    section("prediction, from one lane of each training and the links above");
    if (exit_code() != 0) {
      findings_.note("prediction", "not made, for the failures above");
      return tell();
    }
    StepWorld here{comm_.world_size(), 1, cores_of_host(ranks_, 0)};
    for (int r = 0; r < here.ranks; ++r) {
      here.ranks_a_host = std::max(here.ranks_a_host, ranks_on_host(ranks_, r));
    }
    const UnitCosts costs =
        measure_costs(*options_.recipe, plan_, comm_,
                      {/*repeats=*/5, here.cores, here.ranks_a_host});
    const std::set<std::string> nodes(hosts_.begin(), hosts_.end());
    const RecipeScaling scaling =
        scale_recipe({*options_.recipe, costs, network_.links, here,
                      static_cast<int>(nodes.size())});
    json_["prediction"] = to_json(scaling);
    if (comm_.rank() == 0) std::fputs(scaling_text(scaling).c_str(), stdout);
    if (options_.recipe->latent()) {
      findings_.note("prediction",
                     "none of steps of a published model, whose operations "
                     "are counted only (`run --dry-run`)");
    }
    tell();
  }

  // Rank 0's, on every rank.
  int exit_code() {
    return std::stoi(
        broadcast_string(comm_, std::to_string(findings_.exit_code())));
  }

  int finish() {
    const int code = exit_code();
    json_["findings"] = findings_.json();
    json_["exit_code"] = code;
    run_together(comm_, [&] {
      if (comm_.rank() != 0) return;
      std::printf("\n%s\n", summary_text(findings_).c_str());
      if (options_.json.empty()) return;
      make_directories(std::filesystem::absolute(options_.json).parent_path());
      write_file_atomic(options_.json, json_.dump(1) + "\n");
    });
    return code;
  }

  const DoctorOptions& options_;
  Communicator& comm_;
  const bool color_;
  Findings findings_;
  std::size_t told_ = 0;
  nlohmann::json json_;
  std::vector<RankFacts> ranks_;
  std::vector<std::string> hosts_;
  NetworkFacts network_;
  Plan plan_;
};

}  // namespace

void DoctorOptions::validate() const {
  check_range("--disk-mb", disk_mb, 1, 1e6);
  check_range("--network-mb", network_mb, 1, 16384);
}

int run_doctor(const DoctorOptions& options, Communicator& comm) {
  at::set_num_threads(1);  // as in a run
  return Doctor(options, comm).run();
}

}  // namespace sono
