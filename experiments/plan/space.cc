#include "experiments/plan/space.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/message.h"

namespace sono {
namespace {

constexpr std::int64_t kEmbedding = 256 * 64 * 64 * 4;
// A finished training keeps one checkpoint: weights, both moments, average.
constexpr std::int64_t kCopies = 4;
constexpr std::int64_t kDecoder = 16 * 1000 * 1000;  // LiteMedSAM's
// Of an image and its mask as PNG, at the very least: the mask is next to
// nothing, the image's speckle hardly shrinks.
constexpr std::int64_t kShrink = 4;
constexpr std::int64_t kFilesAStage = 12;  // checkpoint, records, pictures
constexpr std::int64_t kFilesAShard = 2;
constexpr std::int64_t kFilesOfReport = 60;
constexpr std::int64_t kLargeBytes = 10ll * 1000 * 1000 * 1000;
constexpr std::int64_t kLargeFiles = 100 * 1000;

std::int64_t bytes_of(const NamedTensors& parameters) {
  std::int64_t bytes = 0;
  for (const auto& [name, tensor] : parameters) {
    bytes += static_cast<std::int64_t>(tensor.nbytes());
  }
  return bytes;
}

std::int64_t pixels_of(const Recipe& recipe) {
  const std::int64_t side = recipe.stable_diffusion.resolution;
  return recipe.latent() ? side * side
                         : std::int64_t{recipe.diffusion.image_width} *
                               recipe.diffusion.image_height;
}

std::int64_t generator_bytes(const Recipe& recipe) {
  if (!uses_diffusion(recipe.experiment) || recipe.latent()) return 0;
  DiffusionModel model(recipe.diffusion);
  return bytes_of(model.unet().named_parameters());
}

void add_stage(const Recipe& recipe, const PlannedStage& stage,
               std::int64_t generator, SpaceNeed& need) {
  need.files += kFilesAStage;
  need.embeddings += stage.encoded * kEmbedding;
  switch (stage.work) {
    case Work::kPretrain:
    case Work::kAdapt:
      need.checkpoints += kCopies * generator;
      break;
    case Work::kTune:
      need.checkpoints += kCopies * kDecoder;
      break;
    case Work::kGenerate:
      need.shards += stage.items * 2 * pixels_of(recipe);
      need.files +=
          kFilesAShard * (stage.items / recipe.generate.samples_per_shard + 1);
      break;
    case Work::kPhantoms:
      need.files += 2 * stage.items;
      break;
    default:
      break;
  }
}

}  // namespace

bool SpaceNeed::large() const {
  return most_bytes > kLargeBytes || files > kLargeFiles;
}

bool SpaceNeed::exceeds(const DiskSpace& space) const {
  return least_bytes > space.free_bytes || files > space.free_files;
}

bool SpaceNeed::may_exceed(const DiskSpace& space) const {
  return most_bytes > space.free_bytes || files > space.free_files;
}

std::string SpaceNeed::text() const {
  const auto gb = [](std::int64_t bytes) {
    return bytes_text(static_cast<double>(bytes));
  };
  return "embeddings " + gb(embeddings) + ", checkpoints " + gb(checkpoints) +
         ", shards at most " + gb(shards) + "; some " + std::to_string(files) +
         " files";
}

SpaceNeed space_need(const Recipe& recipe, const Plan& plan) {
  SpaceNeed need;
  const std::int64_t generator = generator_bytes(recipe);
  for (const PlannedStage& stage : plan.stages) {
    add_stage(recipe, stage, generator, need);
  }
  need.files += plan.cells + kFilesOfReport;
  need.embeddings = std::min(
      need.embeddings, static_cast<std::int64_t>(recipe.place.cache_gb * 1e9));
  need.least_bytes = need.checkpoints + need.shards / kShrink;
  // A cache elsewhere, or one that is filled, takes nothing here.
  if (recipe.place.cache.empty()) need.least_bytes += need.embeddings;
  need.most_bytes = need.embeddings + need.checkpoints + need.shards;
  return need;
}

std::string space_text(const DiskSpace& space) {
  std::string text = bytes_text(static_cast<double>(space.free_bytes));
  if (space.free_files != DiskSpace::kUnlimited) {
    text += " and " + std::to_string(space.free_files) + " files";
  }
  return text + (space.quota ? " left of the quota" : " free");
}

void check_space(const Recipe& recipe, const std::filesystem::path& out) {
  SpaceNeed need;
  try {
    need = space_need(recipe, make_plan(recipe));
  } catch (const Error&) {
    return;  // the run itself meets that error, and says where
  }
  if (!need.large()) return;
  const DiskSpace space = disk_space(out);
  const std::string text =
      out.string() + ": the run will take " + need.text() + "; " +
      space_text(space) +
      "; make room there, or choose another --out or place.cache";
  if (need.exceeds(space)) throw ResourceError(text);
  if (need.may_exceed(space)) log_warning(text);
}

}  // namespace sono
