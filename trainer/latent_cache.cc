#include "trainer/latent_cache.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "core/check.h"
#include "core/hash.h"
#include "core/progress.h"
#include "dist/recorder/flight_recorder.h"
#include "trainer/machine_kind.h"

namespace sono {
namespace {

std::string image_key(const std::string& encoder, const at::Tensor& pixels) {
  const at::Tensor values = pixels.contiguous();
  Sha256 hash;
  hash.update("latent-moments-1 " + encoder + " " + machine_kind().dump());
  for (const std::int64_t side : values.sizes()) {
    hash.update(" " + std::to_string(side));
  }
  hash.update(values.const_data_ptr(), values.nbytes());
  return hash.hex();
}

std::string caption_key(const std::string& encoder,
                        const std::string& caption) {
  return sha256_hex("caption-1 " + encoder + " " + machine_kind().dump() + " " +
                    caption);
}

// Values as they are, fp32.
void put(PackCache& cache, const std::string& key, const at::Tensor& value) {
  const at::Tensor values = value.to(at::kFloat).cpu().contiguous();
  cache.put(key, {static_cast<const char*>(values.const_data_ptr()),
                  static_cast<std::size_t>(values.nbytes())});
}

// fp32 of `shape`; a side of -1 is what the size says.
at::Tensor get(PackCache& cache, const std::string& key,
               const std::vector<std::int64_t>& shape) {
  const auto bytes = cache.get(key);
  if (!bytes || bytes->size() % sizeof(float) != 0) {
    throw DataError(
        "the cache of latents and captions lost entries that this training "
        "needs; leave it alone while training, and run the same command again");
  }
  at::Tensor values = at::empty(
      {static_cast<std::int64_t>(bytes->size() / sizeof(float))}, at::kFloat);
  std::memcpy(values.data_ptr(), bytes->data(), bytes->size());
  return values.view(shape);
}

// All that is to be encoded: images by version, then captions, "" first; no
// captions where the text encoder is trained.
struct Items {
  std::int64_t images, variants;
  std::vector<std::string> captions;

  std::int64_t moments() const { return images * variants; }
  std::int64_t count() const {
    return moments() + static_cast<std::int64_t>(captions.size());
  }
};

Items items_of(const LatentImages& images, const FrozenEncoders& encoders) {
  Items items{images.count(), images.variants(), {}};
  if (encoders.tokenize) return items;
  items.captions.emplace_back();
  for (std::int64_t i = 0; i < images.count(); ++i) {
    items.captions.push_back(images.caption(i));
  }
  std::sort(items.captions.begin(), items.captions.end());
  items.captions.erase(
      std::unique(items.captions.begin(), items.captions.end()),
      items.captions.end());
  return items;
}

// Encodes an item unless the cache has it; its key.
std::string encode_item(const Items& items, std::int64_t item,
                        const LatentImages& images,
                        const FrozenEncoders& encoders, PackCache& cache) {
  const at::NoGradGuard no_grad;
  if (item < items.moments()) {
    const at::Tensor pixels =
        images.pixels(item / items.variants, item % items.variants);
    const std::string key = image_key(encoders.autoencoder_hash, pixels);
    if (!cache.has(key)) {
      put(cache, key, encoders.encode(pixels.unsqueeze(0)));
    }
    return key;
  }
  const std::string& caption =
      items.captions.at(static_cast<std::size_t>(item - items.moments()));
  const std::string key = caption_key(encoders.text_hash, caption);
  if (!cache.has(key)) put(cache, key, encoders.embed(caption));
  return key;
}

// How a caption's text is had, as LatentExample::text.
std::function<at::Tensor(const std::string& caption)> text_reader(
    const FrozenEncoders& encoders, PackCache& cache) {
  if (encoders.tokenize) return encoders.tokenize;
  return [&cache, hash = encoders.text_hash,
          width = encoders.text_width](const std::string& caption) {
    return get(cache, caption_key(hash, caption), {-1, width});
  };
}

// This rank's share of the keys, one after the other.
std::string encode_share(Communicator& comm, const Items& items,
                         const LatentImages& images,
                         const FrozenEncoders& encoders, PackCache& cache,
                         const StopSignal& stop) {
  Progress progress("encode", items.count(), "items", comm.rank() == 0);
  std::string keys;
  for (std::int64_t item = comm.rank(); item < items.count();
       item += comm.world_size()) {
    keys += encode_item(items, item, images, encoders, cache);
    progress.update(item + 1);
    if (comm.recorder() != nullptr) comm.recorder()->tick();
    if (stop.requested()) {
      cache.flush();
      throw StopRequested(
          "stopped while encoding, with what is done kept; run "
          "the same command again to go on");
    }
  }
  cache.flush();
  progress.finish();
  return keys;
}

}  // namespace

LatentExamples cache_latents(Communicator& comm,
                             std::shared_ptr<const LatentImages> source,
                             const FrozenEncoders& encoders, PackCache& cache,
                             const StopSignal& stop) {
  const LatentImages& images = *source;
  const PhaseMark mark(comm.recorder(), Phase::kEncode);
  const Items items = items_of(images, encoders);
  std::string share;
  run_together(comm, [&] {
    share = encode_share(comm, items, images, encoders, cache, stop);
  });
  const auto shares = gather_strings(comm, share);
  cache.refresh();
  // A key has 64 digits; item i stands in share i mod N.
  const auto ranks = static_cast<std::int64_t>(shares.size());
  const auto key_of = [shares, ranks](std::int64_t item) {
    return shares.at(static_cast<std::size_t>(item % ranks))
        .substr(static_cast<std::size_t>(item / ranks * 64), 64);
  };

  LatentExamples examples;
  std::vector<std::string> captions;
  for (std::int64_t i = 0; i < images.count(); ++i) {
    const cv::Size size = images.size(i);
    examples.shapes.emplace_back(size.height / encoders.downscale,
                                 size.width / encoders.downscale);
    captions.push_back(images.caption(i));
  }
  examples.variants = images.variants();
  const auto text = text_reader(encoders, cache);
  examples.empty_text = text("");
  examples.get = [&cache, key_of, captions, text, source,
                  channels = encoders.latent_channels,
                  downscale = encoders.downscale, shapes = examples.shapes,
                  variants = examples.variants](std::int64_t index,
                                                std::int64_t variant) {
    const auto place = static_cast<std::size_t>(index);
    const auto [height, width] = shapes.at(place);
    const at::Tensor moments = get(cache, key_of(index * variants + variant),
                                   {2, channels, height, width});
    LatentExample example{moments[0], moments[1], text(captions.at(place))};
    const MaskGuidance guidance = source->guidance();
    if (shows_mask(guidance)) {
      example.guide =
          mask_guide(guidance, source->mask(index, variant), downscale);
    }
    return example;
  };
  return examples;
}

}  // namespace sono
