#include "experiments/synthetic_dataset.h"

#include <map>

#include "core/message.h"
#include "data/contact_sheet.h"
#include "data/image_file.h"
#include "data/shards/reader.h"
#include "experiments/arm_images.h"
#include "experiments/space_guard.h"

namespace sono {

// `kind` is the reason without its figures, to count by.
nlohmann::json gate_record(const GateVerdict& verdict) {
  const std::string kind =
      verdict.reason.substr(0, verdict.reason.find_first_of("0123456789-"));
  return {{"accepted", verdict.accepted},
          {"reason", verdict.reason},
          {"kind", kind},
          {"closure", verdict.closure},
          {"residual_px", verdict.residual_px},
          {"area_fraction", verdict.area_fraction},
          {"axis_ratio", verdict.axis_ratio},
          {"in_frame", verdict.in_frame},
          {"skull_fraction", verdict.skull_fraction},
          {"skull_contrast", verdict.skull_contrast},
          {"skull_significance", verdict.skull_significance}};
}

namespace {

nlohmann::json dataset_outputs(const std::filesystem::path& dataset) {
  const ShardReader reader(dataset);
  std::map<std::string, int> reasons;
  int accepted = 0;
  for (std::int64_t i = 0; i < reader.size(); ++i) {
    const auto gate = reader.read(i).provenance.at("gate");
    if (gate.at("accepted").get<bool>()) {
      ++accepted;
    } else {
      ++reasons[gate.at("kind").get<std::string>()];
    }
  }
  return {{"dataset_hash", reader.manifest().dataset_hash},
          {"count", reader.size()},
          {"accepted", accepted},
          {"reasons", reasons}};
}

// The first pairs of both piles, for people to look at.
void write_contact_sheets(const std::filesystem::path& dir) {
  constexpr std::size_t kMost = 24;
  const ShardReader reader(dir / "dataset");
  std::vector<ContactTile> accepted, rejected;
  for (std::int64_t i = 0; i < reader.size(); ++i) {
    const ShardSample sample = reader.read(i);
    const auto& gate = sample.provenance.at("gate");
    auto& pile = gate.at("accepted").get<bool>() ? accepted : rejected;
    if (pile.size() == kMost) continue;
    ContactTile tile;
    tile.image = sample.image;
    tile.mask = sample.mask;
    tile.caption = sample.key + " " + gate.at("reason").get<std::string>();
    pile.push_back(std::move(tile));
  }
  const cv::Size size(192, 132);
  write_png(dir / "accepted.png", contact_sheet(accepted, 6, size));
  write_png(dir / "rejected.png", contact_sheet(rejected, 6, size));
}

}  // namespace

std::int64_t make_shards(const RunContext& context, const GenerationJob& job,
                         const std::filesystem::path& dataset,
                         const std::filesystem::path& leases) {
  open_dataset(dataset, job.plan);
  SpaceGuard space(context, dataset);
  std::unique_ptr<ShardMaker> maker;  // once there is something to make
  LeasedWork work;
  work.items = job.plan.num_shards();
  work.is_done = [&](std::int64_t i) { return shard_done(dataset, i); };
  work.work = [&](std::int64_t i) {
    if (!maker) maker = std::make_unique<ShardMaker>(job);
    log_debug("making shard " + std::to_string(i));
    const auto samples = maker->make(i);
    space.write([&] { commit_shard(dataset, job.plan, i, samples); });
  };
  work.lease_folder = leases;
  const std::int64_t made = share_out(context, Phase::kGenerate,
                                      "generate " + job.label, "shards", work);
  run_together(context.comm, [&] {
    if (!context.rank_zero()) return;
    space.write([&] { finalize_dataset(dataset, job.plan); });
  });
  return made;
}

StageResult generate_dataset(const RunContext& context,
                             const GenerationJob& job) {
  return context.stages.run("generate-" + job.label, job.inputs,
                            [&](const std::filesystem::path& dir) {
                              make_shards(context, job, dir / "dataset",
                                          dir / "leases");
                              run_together(context.comm, [&] {
                                if (context.rank_zero())
                                  write_contact_sheets(dir);
                              });
                              return dataset_outputs(dir / "dataset");
                            });
}

SyntheticPairs::SyntheticPairs(const std::filesystem::path& dataset,
                               cv::Size native)
    : reader_(std::make_unique<ShardReader>(dataset)), native_(native) {
  for (std::int64_t i = 0; i < reader_->size(); ++i) {
    const auto gate = reader_->read(i).provenance.at("gate");
    if (gate.at("accepted").get<bool>()) accepted_.push_back(i);
  }
}
SyntheticPairs::~SyntheticPairs() = default;
SyntheticPairs::SyntheticPairs(SyntheticPairs&&) noexcept = default;

Sample SyntheticPairs::read(std::size_t index) const {
  const ShardSample shard = reader_->read(accepted_.at(index));
  Sample sample = enlarged(shard.image, shard.mask,
                           native_.empty() ? shard.image.size() : native_);
  sample.id = sample.exam = shard.key;
  return sample;
}

}  // namespace sono
