#include <algorithm>

#include "core/error.h"
#include "trainer/diffusion_model.h"

namespace sono {

void DiffusionConfig::validate(const std::string& prefix) const {
  check_choice(prefix + ".mode", mode, {"concat", "joint"});
  check_range(prefix + ".image_width", image_width, 8, 4096);
  check_range(prefix + ".image_height", image_height, 8, 4096);
  if (image_width % 2 != 0 || image_height % 2 != 0) {
    throw ConfigError(prefix + ".image_width and " + prefix +
                      ".image_height must be even");
  }
  if (widths.empty()) throw ConfigError(prefix + ".widths is empty");
  check_range(prefix + ".layers_per_block", layers_per_block, 1, 8);
  check_range(prefix + ".attention_levels", attention_levels, 0,
              static_cast<double>(widths.size()));
  check_range(prefix + ".attention_head_dim", attention_head_dim, 1, 1024);
  check_range(prefix + ".norm_groups", norm_groups, 1, 1024);
  check_range(prefix + ".num_classes", num_classes, 0, 10000);
  check_range(prefix + ".class_dropout", class_dropout, 0, 1);
  check_range(prefix + ".mask_dropout", mask_dropout, 0, 1);
  check_range(prefix + ".min_snr_gamma", min_snr_gamma, 0, 1000);
  check_range(prefix + ".noise_offset", noise_offset, 0, 1);
  check_range(prefix + ".guidance_scale", guidance_scale, 0, 100);
  check_range(prefix + ".guidance_rescale", guidance_rescale, 0, 1);
  if (guidance_scale != 1 && num_classes == 0) {
    throw ConfigError("option " + prefix +
                      ".guidance_scale = " + std::to_string(guidance_scale) +
                      " needs " + prefix + ".num_classes of 1 or more");
  }
  noise.validate(prefix);
  sampler.validate(prefix, noise,
                   parse_prediction(prefix + ".prediction", prediction));
  unet_config(*this).validate();
}

UNetConfig unet_config(const DiffusionConfig& c) {
  UNetConfig unet;
  // Four grid channels an image; concat reads the mask's beside them.
  unet.in_channels = 8;
  unet.out_channels = c.joint() ? 8 : 4;
  unet.block_out_channels.assign(c.widths.begin(), c.widths.end());
  unet.attention.assign(c.widths.size(), false);
  std::fill(unet.attention.end() - c.attention_levels, unet.attention.end(),
            true);
  unet.mid_attention = c.attention_levels > 0;
  unet.layers_per_block = c.layers_per_block;
  unet.attention_head_dim = c.attention_head_dim;
  unet.norm_num_groups = c.norm_groups;
  unet.num_class_embeds = c.num_classes > 0 ? c.num_classes + 1 : 0;
  return unet;
}

namespace {

void describe_network(OptionTable& table, const std::string& prefix,
                      DiffusionConfig& c) {
  const auto result = OptionKind::kResult;
  table.add(prefix + ".image_width", &c.image_width, result,
            "width of generated images, px, even; cost grows with it");
  table.add(prefix + ".image_height", &c.image_height, result,
            "height of generated images, px, even");
  table.add(prefix + ".widths", &c.widths, result,
            "channels of each level of the UNet, finest first");
  table.add(prefix + ".layers_per_block", &c.layers_per_block, result,
            "residual blocks a level");
  table.add(prefix + ".attention_levels", &c.attention_levels, result,
            "how many of the coarsest levels have self-attention");
  table.add(prefix + ".attention_head_dim", &c.attention_head_dim, result,
            "channels of an attention head; divides the widths with attention");
  table.add(prefix + ".norm_groups", &c.norm_groups, result,
            "groups of group normalisation; divides every width");
}

void describe_conditions(OptionTable& table, const std::string& prefix,
                         DiffusionConfig& c) {
  const auto result = OptionKind::kResult;
  const auto added = OptionKind::kAddedResult;
  table.add(prefix + ".num_classes", &c.num_classes, result,
            "classes of the condition (cohort x trimester); 0 = none");
  table.add(prefix + ".class_dropout", &c.class_dropout, result,
            "probability that training hides the class (for guidance)");
  table.add(prefix + ".mask_dropout", &c.mask_dropout, result,
            "concat: probability that training hides the mask");
  table.add(prefix + ".guidance_scale", &c.guidance_scale, result,
            "classifier-free guidance; 1 = off, else sampling costs twice");
  table.add(prefix + ".guidance_rescale", &c.guidance_rescale, added,
            "how far guidance is brought back to the output's own scale, 0..1");
}

void describe_process(OptionTable& table, const std::string& prefix,
                      DiffusionConfig& c) {
  const auto result = OptionKind::kResult;
  const auto added = OptionKind::kAddedResult;
  table.add(prefix + ".beta_schedule", &c.noise.beta_schedule, result,
            "scaled_linear, linear or squaredcos_cap_v2");
  table.add(prefix + ".beta_start", &c.noise.beta_start, result,
            "first beta of the linear schedules");
  table.add(prefix + ".beta_end", &c.noise.beta_end, result,
            "last beta of the linear schedules");
  table.add(prefix + ".num_train_timesteps", &c.noise.num_train_timesteps,
            result, "length of the noise schedule");
  table.add(prefix + ".prediction", &c.prediction, result,
            "what the network predicts: epsilon, v_prediction or sample");
  table.add(prefix + ".zero_terminal_snr", &c.noise.zero_terminal_snr, added,
            "leave no signal at the last timestep; not with epsilon");
  table.add(prefix + ".noise_offset", &c.noise_offset, added,
            "deviation of the constant added to a channel's training noise");
  table.add(prefix + ".min_snr_gamma", &c.min_snr_gamma, result,
            "cap of the signal-to-noise loss weight; 0 = no weighting");
}

void describe_sampler(OptionTable& table, const std::string& prefix,
                      SamplerConfig& c) {
  const auto result = OptionKind::kResult;
  const auto added = OptionKind::kAddedResult;
  table.add(prefix + ".sampler", &c.kind, result,
            "ddim, unipc, dpmpp_2m, ddpm or euler_ancestral");
  table.add(prefix + ".timestep_spacing", &c.spacing, result,
            "trailing, leading or linspace");
  table.add(prefix + ".sampling_steps", &c.num_steps, result,
            "network calls an image (twice with guidance)");
  table.add(prefix + ".steps_offset", &c.steps_offset, result,
            "added to leading timesteps");
  table.add(prefix + ".clip_sample", &c.clip_sample, result,
            "clamp the estimated clean image to the grey range at each step");
  table.add(prefix + ".eta", &c.eta, added,
            "ddim: noise added at each step, 0 = none, 1 = as ddpm");
  table.add(prefix + ".variance", &c.variance, added,
            "ddpm: variance of that noise, fixed_small or fixed_large");
  table.add(prefix + ".solver_order", &c.solver_order, added,
            "unipc: 1 to 3; dpmpp_2m: 1 or 2");
  table.add(prefix + ".solver", &c.solver, added,
            "unipc: bh2 or bh1; dpmpp_2m: midpoint or heun; empty: the first");
  table.add(prefix + ".karras_sigmas", &c.karras_sigmas, added,
            "unipc, dpmpp_2m: noise levels as in Karras et al. 2022");
  table.add(prefix + ".final_sigma", &c.final_sigma, added,
            "unipc, dpmpp_2m: end at zero noise or at sigma_min");
  table.add(prefix + ".corrected", &c.corrected, added,
            "do not repeat known faults of diffusers' schedulers");
}

}  // namespace

void describe(OptionTable& table, const std::string& prefix,
              DiffusionConfig& config) {
  describe_network(table, prefix, config);
  describe_conditions(table, prefix, config);
  describe_process(table, prefix, config);
  describe_sampler(table, prefix, config.sampler);
}

}  // namespace sono
