#include "experiments/latent_sampler.h"

#include <cstring>

#include "core/random.h"
#include "data/quality_gate.h"
#include "experiments/synthetic_dataset.h"

namespace sono {
namespace {

// fp32 [H, W] in 0..1 to 8 bits.
cv::Mat to_grey(const at::Tensor& plane) {
  const at::Tensor bytes =
      (plane * 255).round().clamp(0, 255).to(at::kByte).contiguous();
  cv::Mat grey(static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(1)),
               CV_8UC1);
  std::memcpy(grey.data, bytes.const_data_ptr(), bytes.nbytes());
  return grey;
}

}  // namespace

LatentSampler::LatentSampler(const RunContext& context, const ArmRun& run,
                             const std::vector<LatentGroup>& groups,
                             const std::vector<StageResult>& adapted)
    : context_(context), run_(run), groups_(groups), adapted_(adapted) {
  const std::filesystem::path folder = context.recipe.stable_diffusion.folder;
  networks_ = std::make_unique<StableDiffusion>(
      *open_diffusers_folder(folder, {}),
      read_scheduler_file(folder / "scheduler" / "scheduler_config.json",
                          context.recipe.stable_diffusion.sampler));
}

void LatentSampler::use_lora(std::size_t group) {
  if (loaded_ == group) return;
  loras_.clear();  // detaches
  const StageResult& stage = adapted_.at(group);
  loras_ = attach_lora(
      read_lora(stage.dir / stage.outputs.at("weights").get<std::string>()),
      {{"unet", &networks_->unet()}});
  for (auto& [name, lora] : loras_) {
    lora->set_strength(context_.recipe.stable_diffusion.lora_strength);
  }
  loaded_ = group;
}

TextToImageRequest LatentSampler::request(std::int64_t index, std::size_t group,
                                          std::int64_t place) const {
  const StableDiffusionConfig& config = context_.recipe.stable_diffusion;
  const auto& prompts = groups_.at(group).prompts;
  TextToImageRequest request;
  request.prompts = {
      prompts.at(static_cast<std::size_t>(place) % prompts.size())};
  request.negative_prompts = {config.negative_prompt};
  request.seeds = {
      make_key("latent.image", run_.seed, static_cast<std::uint64_t>(index))
          .low};
  request.height = request.width = config.resolution;
  request.sampler = networks_->sampler();
  request.sampler.num_steps = config.sampling_steps;
  request.guidance_scale = config.guidance_scale;
  request.clip_skip = config.clip_skip;
  request.before_call = [this] { context_.proceed(); };
  return request;
}

ShardSample LatentSampler::make(std::int64_t index, nlohmann::json provenance) {
  const at::NoGradGuard no_grad;
  const Recipe& recipe = context_.recipe;
  const auto groups = static_cast<std::int64_t>(groups_.size());
  const std::int64_t count = recipe.experiment.synthetic_count;
  std::int64_t group = 0;
  while (index >= split_point(count, groups, group + 1)) ++group;
  const auto chosen = static_cast<std::size_t>(group);
  use_lora(chosen);
  const TextToImageRequest asked =
      request(index, chosen, index - split_point(count, groups, group));
  const at::Tensor image =
      networks_->to_images(networks_->sample_latents(asked))[0];
  ShardSample sample;
  sample.key = sample_key(index);
  sample.image = to_grey(image[0]);
  sample.provenance = std::move(provenance);
  sample.provenance["sample"] = index;
  sample.provenance["prompt"] = asked.prompts[0];
  sample.provenance["lora"] = adapted_.at(chosen).outputs.at("sha256");
  GateVerdict verdict{.accepted = true, .reason = "accepted"};
  if (run_.arm == "joint") {
    const cv::Mat outline =
        to_grey(image[2]) > recipe.stable_diffusion.outline_threshold;
    verdict = judge_outline(sample.image, outline, recipe.gate, &sample.mask);
  }
  sample.provenance["gate"] = gate_record(verdict);
  if (sample.mask.empty()) {
    sample.mask = cv::Mat::zeros(sample.image.size(), CV_8UC1);
  }
  return sample;
}

}  // namespace sono
