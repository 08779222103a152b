#include "trainer/generate.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"

namespace sono {
namespace {

// fp32 [H, W] in [-1, 1] to 8 bits.
cv::Mat to_grey(const at::Tensor& plane) {
  const at::Tensor bytes =
      ((plane + 1) * 127.5).round().clamp(0, 255).to(at::kByte).contiguous();
  cv::Mat grey(static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(1)),
               CV_8UC1);
  std::memcpy(grey.data, bytes.const_data_ptr(), bytes.nbytes());
  return grey;
}

// 0 or 255 to fp32 [1, H, W], 0 or 1.
at::Tensor from_mask(const cv::Mat& mask) {
  return at::from_blob(mask.data, {1, mask.rows, mask.cols}, at::kByte)
      .gt(0)
      .to(at::kFloat);
}

// What pair `index` is to be, before the network is called.
DiffusionExample condition(const DiffusionConfig& config,
                           const GeneratorConditions& conditions,
                           std::uint64_t seed, std::int64_t index) {
  if (conditions.start) return conditions.start(index);
  DiffusionExample wanted;
  Random random(
      make_key("generate.condition", seed, static_cast<std::uint64_t>(index)));
  if (!conditions.class_ids.empty()) {
    wanted.class_id =
        conditions.class_ids[random.below(conditions.class_ids.size())];
  }
  if (config.joint()) return wanted;
  SONO_CHECK(conditions.outlines, "concat needs outlines to draw from");
  const cv::Size size(config.image_width, config.image_height);
  wanted.mask =
      from_mask(render_filled(conditions.outlines->sample(size, random), size));
  return wanted;
}

at::Tensor normal_values(const DiffusionModel& model, RandomKey key) {
  at::Tensor values = at::empty(model.noise_shape(), at::kFloat);
  Random(key).fill_normal(values.data_ptr<float>(),
                          static_cast<std::size_t>(values.numel()));
  return values;
}

// The noise that pair `index` begins with.
at::Tensor noise(const DiffusionModel& model, std::uint64_t seed,
                 std::int64_t index) {
  return normal_values(model, make_key("generate.noise", seed,
                                       static_cast<std::uint64_t>(index)));
}

// What a sampler that adds noise adds to the pairs from `first` on, keyed by
// pair and step.
Sampler::StepNoise step_noise(const DiffusionModel& model,
                              const GenerateRange& range, std::int64_t first) {
  return [&model, &range, first](std::size_t step) {
    std::vector<at::Tensor> noises;
    for (std::int64_t i = 0; i < range.batch_size; ++i) {
      noises.push_back(normal_values(
          model, make_key("generate.step", range.seed,
                          static_cast<std::uint64_t>(first + i), step)));
    }
    return at::stack(noises);
  };
}

SampleRequest request_of(const DiffusionModel& model,
                         const GeneratorConditions& conditions,
                         const std::vector<DiffusionExample>& wanted,
                         std::vector<at::Tensor> noises) {
  const bool joint = model.config().joint();
  std::vector<at::Tensor> masks, starts;
  std::vector<std::int64_t> class_ids;
  for (const DiffusionExample& w : wanted) {
    class_ids.push_back(w.class_id);
    if (!joint) masks.push_back(w.mask * 2 - 1);
    if (conditions.start) {
      starts.push_back(joint ? at::cat({w.image, outline_of(w.mask) * 2 - 1})
                             : w.image);
    }
  }
  SampleRequest request;
  request.noise = at::stack(noises);
  request.class_ids = at::tensor(class_ids);
  if (!joint) request.mask = at::stack(masks);
  if (!starts.empty()) request.start = at::stack(starts);
  request.strength = conditions.start_strength;
  return request;
}

// The batch of pairs from `first` on, which is a multiple of its size.
std::vector<GeneratedPair> generate_batch(const DiffusionModel& model,
                                          const GeneratorConditions& conditions,
                                          const GenerateRange& range,
                                          std::int64_t first) {
  const std::int64_t size = range.batch_size;
  std::vector<DiffusionExample> wanted;
  std::vector<at::Tensor> noises;
  for (std::int64_t index = first; index < first + size; ++index) {
    wanted.push_back(condition(model.config(), conditions, range.seed, index));
    noises.push_back(noise(model, range.seed, index));
  }
  SampleRequest request = request_of(model, conditions, wanted, noises);
  request.step_noise = step_noise(model, range, first);
  request.before_call = range.before_call;
  const at::Tensor images = model.sample(request);
  std::vector<GeneratedPair> pairs;
  for (std::int64_t i = 0; i < size; ++i) {
    const DiffusionExample& w = wanted[static_cast<std::size_t>(i)];
    GeneratedPair pair;
    pair.index = first + i;
    pair.class_id = w.class_id;
    pair.image = to_grey(images[i][0]);
    if (model.config().joint()) {
      pair.outline = to_grey(images[i][1]);
    } else {
      pair.mask = to_grey(w.mask[0] * 2 - 1);
    }
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

}  // namespace

std::vector<GeneratedPair> generate_pairs(const DiffusionModel& model,
                                          const GeneratorConditions& conditions,
                                          const GenerateRange& range) {
  SONO_CHECK(range.first_index >= 0 && range.count >= 0 && range.batch_size > 0,
             range.count << " pairs from " << range.first_index
                         << " in batches of " << range.batch_size);
  const std::int64_t end = range.first_index + range.count;
  std::vector<GeneratedPair> pairs;
  for (std::int64_t first =
           range.first_index / range.batch_size * range.batch_size;
       first < end; first += range.batch_size) {
    for (auto& pair : generate_batch(model, conditions, range, first)) {
      const bool asked = pair.index >= range.first_index && pair.index < end;
      if (asked) pairs.push_back(std::move(pair));
    }
  }
  return pairs;
}

}  // namespace sono
