#include "trainer/generate.h"

#include <algorithm>
#include <cstring>
#include <map>

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

RandomKey key_of(const char* purpose, std::uint64_t seed,
                 const PairAttempt& pair, std::uint64_t step = 0) {
  return make_key(purpose, seed, static_cast<std::uint64_t>(pair.index),
                  step + (static_cast<std::uint64_t>(pair.attempt) << 32));
}

// What a pair is to be, before the network is called.
DiffusionExample condition(const DiffusionConfig& config,
                           const GeneratorConditions& conditions,
                           std::uint64_t seed, const PairAttempt& pair) {
  if (conditions.start) return conditions.start(pair.index);
  DiffusionExample wanted;
  Random random(key_of("generate.condition", seed, pair));
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

// One batch: which pair stands in each row.
using Rows = std::vector<PairAttempt>;

// What a sampler that adds noise adds, keyed by pair and step.
Sampler::StepNoise step_noise(const DiffusionModel& model,
                              const GenerateOptions& options,
                              const Rows& rows) {
  return [&model, &options, &rows](std::size_t step) {
    std::vector<at::Tensor> noises;
    for (const PairAttempt& pair : rows) {
      noises.push_back(normal_values(
          model, key_of("generate.step", options.seed, pair, step)));
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

std::vector<GeneratedPair> generate_batch(const DiffusionModel& model,
                                          const GeneratorConditions& conditions,
                                          const GenerateOptions& options,
                                          const Rows& rows) {
  std::vector<DiffusionExample> wanted;
  std::vector<at::Tensor> noises;
  for (const PairAttempt& pair : rows) {
    wanted.push_back(condition(model.config(), conditions, options.seed, pair));
    noises.push_back(
        normal_values(model, key_of("generate.noise", options.seed, pair)));
  }
  SampleRequest request = request_of(model, conditions, wanted, noises);
  request.step_noise = step_noise(model, options, rows);
  request.before_call = options.before_call;
  const at::Tensor images = model.sample(request);
  std::vector<GeneratedPair> pairs;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const auto i = static_cast<std::int64_t>(row);
    GeneratedPair pair;
    pair.index = rows[row].index;
    pair.attempt = rows[row].attempt;
    pair.class_id = wanted[row].class_id;
    pair.image = to_grey(images[i][0]);
    if (model.config().joint()) {
      pair.outline = to_grey(images[i][1]);
    } else {
      pair.mask = to_grey(wanted[row].mask[0] * 2 - 1);
    }
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

// Which of the asked pairs go into the next batch: the first that waits for
// each row, as places in `asked`.
using Waiting = std::map<std::int64_t, std::vector<std::size_t>>;  // by row

Waiting by_row(const std::vector<PairAttempt>& asked, std::int64_t batch_size) {
  Waiting waiting;
  for (std::size_t k = asked.size(); k-- > 0;) {  // the first one at the back
    waiting[asked[k].index % batch_size].push_back(k);
  }
  return waiting;
}

std::map<std::int64_t, std::size_t> take_batch(Waiting& waiting) {
  std::map<std::int64_t, std::size_t> taken;
  for (auto row = waiting.begin(); row != waiting.end();) {
    taken[row->first] = row->second.back();
    row->second.pop_back();
    row = row->second.empty() ? waiting.erase(row) : std::next(row);
  }
  return taken;
}

}  // namespace

std::vector<PairAttempt> first_attempts(std::int64_t first_index,
                                        std::int64_t count) {
  std::vector<PairAttempt> attempts;
  for (std::int64_t i = 0; i < count; ++i) {
    attempts.push_back({first_index + i, 0});
  }
  return attempts;
}

std::vector<GeneratedPair> generate_pairs(const DiffusionModel& model,
                                          const GeneratorConditions& conditions,
                                          const std::vector<PairAttempt>& asked,
                                          const GenerateOptions& options) {
  SONO_CHECK(options.batch_size > 0, "batches of " << options.batch_size);
  std::vector<GeneratedPair> pairs(asked.size());
  for (Waiting waiting = by_row(asked, options.batch_size); !waiting.empty();) {
    const auto taken = take_batch(waiting);
    // Rows that nobody asked for repeat one that somebody did.
    Rows rows(static_cast<std::size_t>(options.batch_size),
              asked[taken.begin()->second]);
    for (const auto& [row, place] : taken) {
      rows[static_cast<std::size_t>(row)] = asked[place];
    }
    auto batch = generate_batch(model, conditions, options, rows);
    for (const auto& [row, place] : taken) {
      pairs[place] = std::move(batch[static_cast<std::size_t>(row)]);
    }
  }
  return pairs;
}

}  // namespace sono
