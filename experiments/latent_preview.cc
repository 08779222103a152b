#include "experiments/latent_preview.h"

#include <algorithm>
#include <cstdio>

#include "core/atomic_file.h"
#include "core/random.h"
#include "data/contact_sheet.h"
#include "data/image_file.h"
#include "dist/recorder/flight_recorder.h"
#include "experiments/tensor_picture.h"

namespace sono {
namespace {

constexpr int kColumns = 4;
constexpr int kLargestTile = 512;  // px

std::int64_t pictures_of(const PreviewConfig& config,
                         const LatentExamples& examples) {
  return std::min<std::int64_t>(config.count, examples.count());
}

// What the mask of an example is on a page: its edge; empty without one.
cv::Mat mask_of(MaskGuidance guidance, const at::Tensor& guide, cv::Size size) {
  if (!guide.defined()) return {};
  const bool concat = guidance == MaskGuidance::kConcat;
  const at::Tensor mask = concat ? guide / 2 + 0.5 : guide;
  const at::Tensor whole = at::upsample_nearest2d(
      mask.narrow(0, 0, 1).unsqueeze(0), {size.height, size.width});
  return to_grey(whole[0][0].gt(0.5).to(at::kFloat));
}

}  // namespace

void PreviewConfig::validate() const {
  check_range("preview.every", static_cast<double>(every), 0, 1e9);
  check_range("preview.count", count, 1, 64);
  check_choice("preview.sampler", sampler,
               {"ddim", "unipc", "dpmpp_2m", "ddpm", "euler_ancestral"});
  check_range("preview.sampling_steps", sampling_steps, 1, 1000);
  check_range("preview.guidance_scale", guidance_scale, 0, 100);
}

void describe(OptionTable& table, PreviewConfig& config) {
  const auto add = [&](const char* key, auto* field, const char* help) {
    table.add(std::string("preview.") + key, field, OptionKind::kPlace, help);
  };
  add("every", &config.every,
      "steps between pages of pictures, OUT/previews/step-*.png; 0: none");
  add("count", &config.count, "pictures a page, each sampled anew");
  add("prompts", &config.prompts,
      "what they show, in turn; none: the first images' captions");
  add("sampler", &config.sampler,
      "unipc, ddim, dpmpp_2m, ddpm or euler_ancestral");
  add("sampling_steps", &config.sampling_steps,
      "network calls a picture, twice with guidance");
  add("guidance_scale", &config.guidance_scale,
      "classifier-free guidance; 1 = off");
}

LatentPreview::LatentPreview(const PreviewConfig& config, Given given,
                             std::filesystem::path folder)
    : config_(config),
      given_(std::move(given)),
      folder_(std::move(folder)),
      autoencoder_(
          read_autoencoder_config(given_.model.config(ModelPart::kVae))),
      count_(pictures_of(config_, given_.examples)) {
  given_.model.load(ModelPart::kVae, autoencoder_);
}

void LatentPreview::draw(Communicator& comm, const LatentTask& task,
                         std::int64_t steps_done) const {
  const at::NoGradGuard no_grad;
  const PhaseMark mark(comm.recorder(), Phase::kGenerate, steps_done);
  std::vector<at::Tensor> pictures;
  run_together(comm, [&] {
    for (std::int64_t i = 0; i < count_; ++i) {
      pictures.push_back(picture(comm, task, i));
    }
  });
  // Each by one rank alone, zero elsewhere, so the sum over ranks is exact.
  for (at::Tensor& values : pictures) comm.all_reduce(values.view(-1));
  run_together(comm, [&] {
    if (comm.rank() == 0) write_page(pictures, steps_done);
  });
}

at::Tensor LatentPreview::picture(Communicator& comm, const LatentTask& task,
                                  std::int64_t index) const {
  const auto [height, width] =
      given_.examples.shapes.at(static_cast<std::size_t>(index));
  const AutoencoderConfig& vae = autoencoder_.config();
  if (index % comm.world_size() != comm.rank()) {
    return at::zeros({3, height * vae.downscale(), width * vae.downscale()});
  }
  const LatentExample example = given_.examples.get(index, 0);
  const auto place = static_cast<std::size_t>(index);
  const at::Tensor text = given_.prompts.empty()
                              ? example.text
                              : given_.prompts[place % given_.prompts.size()];
  TextToImageRequest request;
  request.seeds = {make_key("latent.preview", given_.seed, place).low};
  request.sampler = {.kind = config_.sampler,
                     .num_steps = config_.sampling_steps};
  request.guidance_scale = config_.guidance_scale;
  request.before_call = [&comm] {
    if (comm.recorder() != nullptr) comm.recorder()->tick();
  };
  const LatentNetworks& networks = task.networks();
  if (networks.control != nullptr) {
    request.control =
        ControlRequest{networks.control, example.guide.unsqueeze(0)};
  } else if (example.guide.defined()) {
    request.added_channels = example.guide.unsqueeze(0);
  }
  const at::Tensor texts = is_guided(request)
                               ? at::stack({text, given_.examples.empty_text})
                               : text.unsqueeze(0);
  const at::Tensor latents = sample_latents(
      {networks.unet, task.config().noise, task.config().prediction},
      task.text_states(texts), {vae.latent_channels, height, width}, request);
  return decode_latents(autoencoder_, latents)[0].contiguous();
}

void LatentPreview::write_page(const std::vector<at::Tensor>& pictures,
                               std::int64_t steps_done) const {
  std::vector<ContactTile> tiles;
  cv::Size largest;
  for (std::int64_t i = 0; i < count_; ++i) {
    ContactTile tile{to_rgb(pictures[static_cast<std::size_t>(i)])};
    const cv::Size size = tile.image.size();
    tile.mask = mask_of(given_.guidance, given_.examples.get(i, 0).guide, size);
    tile.caption = std::to_string(i);
    largest.width = std::max(largest.width, std::min(size.width, kLargestTile));
    largest.height =
        std::max(largest.height, std::min(size.height, kLargestTile));
    tiles.push_back(std::move(tile));
  }
  char name[40];
  std::snprintf(name, sizeof name, "step-%08lld.png",
                static_cast<long long>(steps_done));
  make_directories(folder_);
  write_png(folder_ / name, contact_sheet(tiles, kColumns, largest));
}

}  // namespace sono
