#include "experiments/synthetic_dataset.h"

#include <algorithm>

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
  const Manifest manifest = ShardReader(dataset).manifest();
  return {{"dataset_hash", manifest.dataset_hash},
          {"count", manifest.plan.count},
          {"accepted", manifest.accepted},
          {"reasons", manifest.rejected}};
}

ContactTile tile_of(const ShardSample& sample) {
  ContactTile tile;
  tile.image = sample.image;
  tile.mask = sample.mask;
  tile.caption = sample.key + " " +
                 sample.provenance.at("gate").at("reason").get<std::string>();
  return tile;
}

// The first pairs of both piles, for people to look at.
void write_contact_sheets(const std::filesystem::path& dir) {
  static constexpr std::size_t kMost = 24;
  const ShardReader reader(dir / "dataset");
  const Manifest& manifest = reader.manifest();
  const auto wanted = [](std::int64_t pile) {
    return std::min(kMost, static_cast<std::size_t>(pile));
  };
  const std::size_t num_accepted = wanted(manifest.accepted);
  const std::size_t num_rejected =
      wanted(manifest.plan.count - manifest.accepted);
  std::vector<ContactTile> accepted, rejected;
  for (std::int64_t i = 0;
       accepted.size() < num_accepted || rejected.size() < num_rejected; ++i) {
    const bool is_accepted = reader.entry(i).verdict == 0;
    auto& pile = is_accepted ? accepted : rejected;
    if (pile.size() == kMost) continue;
    pile.push_back(tile_of(reader.read(i)));
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
  work.find_missing = [&] { return missing_shards(dataset, job.plan); };
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
    : reader_(std::make_unique<ShardReader>(dataset)),
      accepted_(std::make_unique<AcceptedSamples>(*reader_)),
      native_(native) {}
SyntheticPairs::~SyntheticPairs() = default;
SyntheticPairs::SyntheticPairs(SyntheticPairs&&) noexcept = default;

std::size_t SyntheticPairs::size() const {
  return static_cast<std::size_t>(accepted_->size());
}

Sample SyntheticPairs::read(std::size_t index) const {
  const ShardSample shard = reader_->read(
      accepted_->sample(*reader_, static_cast<std::int64_t>(index)));
  Sample sample = enlarged(shard.image, shard.mask,
                           native_.empty() ? shard.image.size() : native_);
  sample.id = sample.exam = shard.key;
  return sample;
}

}  // namespace sono
