#include "experiments/latent_sampler.h"

#include "core/random.h"
#include "data/ellipse.h"
#include "data/quality_gate.h"
#include "experiments/latent_trainee.h"
#include "experiments/node_copy.h"
#include "experiments/synthetic_dataset.h"
#include "experiments/tensor_picture.h"
#include "models/unet/config_file.h"

namespace sono {
namespace {

// CV_8UC1, 0 or 255, to fp32 [1, H, W], 0 or 1.
at::Tensor from_mask(const cv::Mat& mask) {
  return at::from_blob(mask.data, {1, mask.rows, mask.cols}, at::kByte)
      .gt(0)
      .to(at::kFloat);
}

}  // namespace

LatentSampler::LatentSampler(const RunContext& context, const Study& study,
                             const ArmRun& run, std::vector<LatentGroup> groups,
                             std::vector<StageResult> adapted)
    : context_(context),
      groups_(std::move(groups)),
      adapted_(std::move(adapted)),
      guidance_(guidance_of(run)) {
  const std::filesystem::path folder = staged_weights(
      context.recipe.place, context.recipe.stable_diffusion.folder);
  networks_ = std::make_unique<StableDiffusion>(
      *open_diffusers_folder(folder, {}),
      read_scheduler_file(folder / "scheduler" / "scheduler_config.json",
                          context.recipe.stable_diffusion.sampler));
  if (!shows_mask(guidance_)) return;
  for (const LatentGroup& group : groups_) {
    outlines_.push_back(group_prior(
        study, run, group, context.recipe.stable_diffusion.resolution));
  }
}

void LatentSampler::use_trained(std::size_t group) {
  if (loaded_ == group) return;
  const StageResult& stage = adapted_.at(group);
  const auto weights =
      stage.dir / stage.outputs.at("weights").get<std::string>();
  const std::filesystem::path folder = weights.parent_path();
  if (guidance_ == MaskGuidance::kControlNet) {
    const auto files = open_pretrained(folder);
    control_ = std::make_unique<ControlNet>(
        read_controlnet_config(files->config(ModelPart::kControlNet)));
    files->load(ModelPart::kControlNet, *control_);
  } else {
    use_lora(folder);
  }
  loaded_ = group;
}

void LatentSampler::use_lora(const std::filesystem::path& folder) {
  loras_.clear();  // detaches
  loras_ = attach_lora(read_lora(folder / kDiffusersLoraFile),
                       {{"unet", &networks_->unet()},
                        {"text_encoder", &networks_->text_encoder()}});
  for (auto& [name, lora] : loras_) {
    lora->set_strength(context_.recipe.stable_diffusion.lora_strength);
  }
  if (guidance_ == MaskGuidance::kConcat) {
    load_wide_input(networks_->unet(), folder / kWideInputFile);
  }
}

void LatentSampler::show_mask(TextToImageRequest& request,
                              const cv::Mat& mask) const {
  const at::Tensor guide = mask_guide(guidance_, from_mask(mask),
                                      networks_->vae().config().downscale())
                               .unsqueeze(0);
  if (guidance_ == MaskGuidance::kControlNet) {
    request.control = ControlRequest{control_.get(), guide};
  } else {
    request.added_channels = guide;
  }
}

cv::Mat LatentSampler::draw_mask(const RandomKey& key,
                                 std::size_t group) const {
  const int side = context_.recipe.stable_diffusion.resolution;
  Random random(key);
  return render_filled(outlines_.at(group).sample({side, side}, random),
                       {side, side});
}

TextToImageRequest LatentSampler::request(const RandomKey& key,
                                          std::size_t group,
                                          std::int64_t place) const {
  const StableDiffusionConfig& config = context_.recipe.stable_diffusion;
  const auto& prompts = groups_.at(group).prompts;
  TextToImageRequest request;
  request.prompts = {
      prompts.at(static_cast<std::size_t>(place) % prompts.size())};
  request.negative_prompts = {config.negative_prompt};
  request.seeds = {key.low};
  request.height = request.width = config.resolution;
  request.sampler = networks_->sampler();
  request.sampler.num_steps = config.sampling_steps;
  request.guidance_scale = config.guidance_scale;
  request.clip_skip = config.clip_skip;
  request.before_call = [this] { context_.proceed(); };
  return request;
}

ShardSample LatentSampler::make(const PairAttempt& pair,
                                const GenerationJob& job) {
  const at::NoGradGuard no_grad;
  const Recipe& recipe = context_.recipe;
  const auto groups = static_cast<std::int64_t>(groups_.size());
  const std::int64_t count = job.order.count;
  const auto key = [&](const char* purpose) {
    return make_key(purpose, job.order.seed,
                    static_cast<std::uint64_t>(pair.index),
                    static_cast<std::uint64_t>(pair.attempt));
  };
  std::int64_t group = 0;
  while (pair.index >= split_point(count, groups, group + 1)) ++group;
  const auto chosen = static_cast<std::size_t>(group);
  use_trained(chosen);
  TextToImageRequest asked =
      request(key("latent.image"), chosen,
              pair.index - split_point(count, groups, group));
  ShardSample sample;
  if (shows_mask(guidance_)) {
    sample.mask = draw_mask(key("latent.outline"), chosen);
    show_mask(asked, sample.mask);
  }
  const at::Tensor image =
      networks_->to_images(networks_->sample_latents(asked))[0];
  sample.key = sample_key(pair.index);
  sample.image = to_grey(image[0]);
  sample.provenance = job.provenance;
  sample.provenance["sample"] = pair.index;
  sample.provenance["prompt"] = asked.prompts[0];
  sample.provenance["lora"] = adapted_.at(chosen).outputs.at("sha256");
  GateVerdict verdict{.accepted = true, .reason = "accepted"};
  if (guidance_ == MaskGuidance::kJoint) {
    const cv::Mat outline =
        to_grey(image[2]) > recipe.stable_diffusion.outline_threshold;
    verdict = judge_outline(sample.image, outline, recipe.gate, &sample.mask);
  } else if (shows_mask(guidance_)) {
    verdict = judge_pair(sample.image, sample.mask, recipe.gate);
  }
  sample.provenance["gate"] = gate_record(verdict);
  if (sample.mask.empty()) {
    sample.mask = cv::Mat::zeros(sample.image.size(), CV_8UC1);
  }
  return sample;
}

}  // namespace sono
