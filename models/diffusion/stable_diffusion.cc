#include "models/diffusion/stable_diffusion.h"

#include "core/check.h"
#include "core/random.h"
#include "models/diffusion/guidance.h"
#include "models/nn/frozen.h"
#include "models/unet/config_file.h"

namespace sono {
namespace {

// Standard normal, one stream an image and `epoch`.
at::Tensor normal_noise(const std::vector<std::uint64_t>& seeds,
                        std::vector<std::int64_t> shape, std::uint64_t epoch) {
  shape.insert(shape.begin(), static_cast<std::int64_t>(seeds.size()));
  at::Tensor noise = at::empty(shape, at::kFloat);
  const std::int64_t count = noise.numel() / noise.size(0);
  float* out = noise.data_ptr<float>();
  for (const std::uint64_t seed : seeds) {
    Random(make_key("stable_diffusion.noise", seed, 0, epoch))
        .fill_normal(out, static_cast<std::size_t>(count));
    out += count;
  }
  return noise;
}

// What does not change from step to step: prompts, then negative prompts where
// guided, and the timesteps, as each network wants them.
struct Trajectory {
  struct Prepared {
    Prepared(const EncoderHalf& net, const at::Tensor& tokens,
             const std::vector<double>& timesteps)
        : text(net.prepare_text(tokens)), times(net.prepare_times(timesteps)) {}
    UNetCondition at_step(std::size_t index) const {
      return {.prepared_text = &text,
              .times = &times,
              .step = static_cast<std::int64_t>(index)};
    }
    TextContext text;
    TimeTable times;
  };
  const TextToImageRequest& request;
  Prepared unet;
  std::optional<Prepared> control;
};

// One of the batch, for both halves of the guidance.
at::Tensor for_halves(const TextToImageRequest& request,
                      const at::Tensor& given) {
  if (given.size(0) == 1 || !is_guided(request)) return given;
  return at::cat({given, given});
}

// Both halves of the guidance in one batch.
at::Tensor predict(const UNet& unet, const Trajectory& trajectory,
                   const at::Tensor& latents, std::size_t index) {
  const TextToImageRequest& request = trajectory.request;
  const at::Tensor input =
      is_guided(request) ? at::cat({latents, latents}) : latents;
  const UNetCondition condition = trajectory.unet.at_step(index);
  if (request.added_channels.defined()) {
    const at::Tensor added = for_halves(request, request.added_channels)
                                 .expand({input.size(0), -1, -1, -1});
    return unet(at::cat({input, added}, 1), {}, condition).to(at::kFloat);
  }
  if (!request.control) return unet(input, {}, condition).to(at::kFloat);
  const ControlRequest& control = *request.control;
  const ControlResiduals residuals =
      (*control.net)(input, {}, trajectory.control->at_step(index),
                     for_halves(request, control.image), control.strength);
  return unet(input, {}, condition, &residuals).to(at::kFloat);
}

[[noreturn]] void refuse(const std::string& why) {
  throw ConfigError("text to image: " + why);
}

}  // namespace

bool is_guided(const TextToImageRequest& request) {
  return request.guidance_scale > 1;
}

void TextToImageRequest::validate(std::int64_t step) const {
  const std::size_t count = prompts.size();
  if (count == 0) refuse("no prompt");
  if (negative_prompts.size() > 1 && negative_prompts.size() != count) {
    refuse(std::to_string(negative_prompts.size()) + " negative prompts for " +
           std::to_string(count) + " prompts; give one, or one a prompt");
  }
  if (seeds.size() != count) {
    refuse(std::to_string(seeds.size()) + " seeds for " +
           std::to_string(count) + " prompts; give one a prompt");
  }
  if (height < step || width < step || height % step || width % step) {
    refuse("height " + std::to_string(height) + " and width " +
           std::to_string(width) + " must be multiples of " +
           std::to_string(step));
  }
  if (!(guidance_scale >= 0) || !(guidance_rescale >= 0) ||
      guidance_rescale > 1) {
    refuse("guidance_scale must be 0 or more, guidance_rescale 0 to 1");
  }
  if (control && (control->net == nullptr || !control->image.defined())) {
    refuse("control needs a network and an image");
  }
}

at::Tensor sample_latents(const Denoiser& denoiser, const at::Tensor& tokens,
                          const std::vector<std::int64_t>& shape,
                          const TextToImageRequest& request) {
  const at::NoGradGuard no_grad;
  const NoiseScheduleConfig& noise = denoiser.noise;
  request.sampler.validate("sampler", noise, denoiser.prediction);
  const auto sampler =
      make_sampler(request.sampler, NoiseSchedule(noise), denoiser.prediction);
  sampler->set_step_noise([&](std::size_t index) {
    return normal_noise(request.seeds, shape, 1 + index);
  });

  Trajectory trajectory{
      request, {denoiser.unet, tokens, sampler->timesteps()}, {}};
  if (request.control) {
    trajectory.control.emplace(*request.control->net, tokens,
                               sampler->timesteps());
  }
  at::Tensor latents = request.noise.defined()
                           ? request.noise
                           : normal_noise(request.seeds, shape, 0);
  latents = latents * sampler->initial_scale();
  for (std::size_t i = 0; i < sampler->timesteps().size(); ++i) {
    if (request.before_call) request.before_call();
    at::Tensor output = predict(denoiser.unet, trajectory, latents, i);
    if (is_guided(request)) {
      output = guide_rescaled(output, request.guidance_scale,
                              request.guidance_rescale);
    }
    latents = sampler->step(output, i, latents);
  }
  return latents;
}

StableDiffusion::StableDiffusion(const Pretrained& pretrained,
                                 const SchedulerFile& scheduler,
                                 at::ScalarType dtype)
    : tokenizer_(pretrained.tokenizer_folder()),
      text_encoder_(
          ClipTextConfig::read(pretrained.config(ModelPart::kTextEncoder))),
      vae_(read_autoencoder_config(pretrained.config(ModelPart::kVae))),
      unet_(read_unet_config(pretrained.config(ModelPart::kUNet))),
      noise_(scheduler.noise),
      prediction_(parse_prediction("scheduler", scheduler.prediction)),
      sampler_(scheduler.sampler) {
  text_encoder_.check_tokenizer(tokenizer_,
                                pretrained.tokenizer_folder().string());
  pretrained.load(ModelPart::kTextEncoder, text_encoder_, dtype);
  pretrained.load(ModelPart::kVae, vae_, dtype);
  pretrained.load(ModelPart::kUNet, unet_, dtype);
  prepare_frozen(unet_, /*max_bytes=*/0);  // of what costs no memory
}

at::Tensor StableDiffusion::encode(const std::vector<std::string>& prompts,
                                   std::int64_t clip_skip) const {
  const at::NoGradGuard no_grad;
  return text_encoder_(tokenizer_.encode_all(prompts), clip_skip);
}

// Prompts, then negative prompts where guided.
at::Tensor StableDiffusion::encode_halves(
    const TextToImageRequest& request) const {
  std::vector<std::string> prompts = request.prompts;
  if (is_guided(request)) {
    std::vector<std::string> negative = request.negative_prompts;
    if (negative.empty()) negative.emplace_back();
    negative.resize(prompts.size(), negative.front());
    prompts.insert(prompts.end(), negative.begin(), negative.end());
  }
  return encode(prompts, request.clip_skip);
}

at::Tensor StableDiffusion::sample_latents(
    const TextToImageRequest& request) const {
  const std::int64_t factor = vae_.config().downscale();
  request.validate(factor);
  const std::vector<std::int64_t> shape = {vae_.config().latent_channels,
                                           request.height / factor,
                                           request.width / factor};
  return sono::sample_latents({unet_, noise_, prediction_},
                              encode_halves(request), shape, request);
}

at::Tensor StableDiffusion::to_images(const at::Tensor& latents) const {
  return decode_latents(vae_, latents);
}

at::Tensor decode_latents(const AutoencoderKL& vae, const at::Tensor& latents) {
  const at::NoGradGuard no_grad;
  const at::Tensor decoded =
      vae.decode(latents / vae.config().scaling_factor).to(at::kFloat);
  return (decoded / 2 + 0.5).clamp(0, 1);
}

at::Tensor to_bytes(const at::Tensor& images) {
  return (images * 255).round().to(at::kByte);
}

}  // namespace sono
