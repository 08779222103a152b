#include "trainer/dist_config.h"

#include "core/error.h"

namespace sono {
namespace {

std::int64_t bytes_of_mb(double mb) {
  return static_cast<std::int64_t>(mb * 1024 * 1024);
}

}  // namespace

void DistConfig::validate() const {
  check_choice("dist.reduce", reduce, {"exact", "fast"});
  check_choice("dist.wire", wire, {"fp32", "bf16"});
  if (reduce == "exact" && wire != "fp32") {
    throw ConfigError("option dist.wire = " + wire +
                      " needs dist.reduce = fast: exact sums are sent as fp32");
  }
  check_range("dist.zero_stage", zero_stage, 0, 3);
  check_range("dist.bucket_mb", bucket_mb, 0.25, 65536);
  check_range("dist.first_bucket_mb", first_bucket_mb, 0.25, 65536);
}

ReducerOptions DistConfig::reducer_options(int lanes) const {
  ReducerOptions options;
  options.exact = reduce == "exact";
  options.lanes = lanes;
  options.bf16_wire = wire == "bf16";
  return options;
}

BucketOptions DistConfig::bucket_options() const {
  return {bytes_of_mb(first_bucket_mb), bytes_of_mb(bucket_mb)};
}

void describe(OptionTable& table, DistConfig& config) {
  constexpr auto kSpeed = OptionKind::kSpeed;
  table.add("dist.reduce", &config.reduce, OptionKind::kResult,
            "exact: the same bits on any number of ranks; fast: any order");
  table.add("dist.wire", &config.wire, OptionKind::kResult,
            "gradients between ranks as fp32, or bf16 (fast only)");
  table.add(
      "dist.zero_stage", &config.zero_stage, kSpeed,
      "shard over ranks: 0 nothing, 1 optimiser state, 2 gradients too, 3 "
      "parameters too, gathered block by block");
  table.add("dist.bucket_mb", &config.bucket_mb, kSpeed,
            "gradient sent at once, MiB");
  table.add("dist.first_bucket_mb", &config.first_bucket_mb, kSpeed,
            "the first part of it, which backward finishes first, MiB");
  table.add("dist.overlap", &config.overlap, kSpeed,
            "send gradients while backward runs, on a second thread");
  table.add("dist.recompute", &config.recompute, kSpeed,
            "run blocks again in backward instead of keeping activations; "
            "zero_stage 3 does so anyway");
}

}  // namespace sono
