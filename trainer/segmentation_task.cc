#include "trainer/segmentation_task.h"

#include <numeric>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "core/option.h"
#include "trainer/sam_frame.h"

namespace sono {
namespace {

constexpr char kDecoderPrefix[] = "mask_decoder.";
constexpr char kEncoderPrefix[] = "image_encoder.";
constexpr char kLoraPrefix[] = "lora.";
constexpr double kSmooth = 1e-5;  // MONAI's smooth_nr and smooth_dr

// 1 - Dice with squared denominators, summed over `dims`.
at::Tensor dice_over(const at::Tensor& logits, const at::Tensor& target,
                     at::IntArrayRef dims) {
  const at::Tensor inside = logits.sigmoid();
  const at::Tensor overlap = (inside * target).sum(dims);
  const at::Tensor total =
      inside.square().sum(dims) + target.square().sum(dims);
  return 1 - (2 * overlap + kSmooth) / (total + kSmooth);
}

bool behind_single_mask(const std::string& name) {
  const std::string hypernetworks = "output_hypernetworks_mlps.";
  if (name.rfind("iou_prediction_head.", 0) == 0) return false;
  return name.rfind(hypernetworks, 0) != 0 ||
         name.rfind(hypernetworks + "0.", 0) == 0;
}

}  // namespace

at::Tensor dice_cross_entropy(const at::Tensor& logits,
                              const at::Tensor& target) {
  return dice_over(logits, target, {-2, -1}).mean() +
         at::binary_cross_entropy_with_logits(logits, target);
}

at::Tensor batch_dice_cross_entropy(const at::Tensor& logits,
                                    const at::Tensor& target) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(logits.dim()));
  std::iota(all.begin(), all.end(), 0);
  return dice_over(logits, target, all) +
         at::binary_cross_entropy_with_logits(logits, target);
}

TunedParts parse_tuned_parts(const std::string& option,
                             const std::string& text) {
  check_choice(option, text, {"decoder", "lora", "whole"});
  if (text == "decoder") return TunedParts::kDecoder;
  return text == "lora" ? TunedParts::kDecoderAndLora : TunedParts::kWhole;
}

SegmentationTask::SegmentationTask(Sam& model, TrainingPool real,
                                   TrainingPool synthetic,
                                   const SegmentationTaskConfig& config,
                                   LoraSet* lora)
    : model_(model),
      real_(std::move(real)),
      synthetic_(std::move(synthetic)),
      config_(config),
      lora_(lora) {
  if (real_.count == 0 && synthetic_.count == 0) {
    throw DataError("there are no images to tune the segmenter on");
  }
  SONO_CHECK(
      config_.batch_size > 0 && real_.variants > 0 && synthetic_.variants > 0,
      "batch size and variants are at least 1");
  const bool in_encoder = config_.parts != TunedParts::kDecoder;
  if (in_encoder && !model_.image_encoder().is_trainable()) {
    throw ConfigError(
        "LiteMedSAM's image encoder cannot be trained: tune its decoder, or "
        "give SAM ViT weights");
  }
  SONO_CHECK_EQ(lora_ != nullptr, config_.parts == TunedParts::kDecoderAndLora);
  for (auto& [name, tensor] : parameters()) tensor.set_requires_grad(true);
}

NamedTensors SegmentationTask::parameters() {
  NamedTensors tuned;
  const auto add = [&](const std::string& prefix, const Module& module) {
    for (const auto& [name, tensor] : module.named_parameters()) {
      tuned.emplace_back(prefix + name, tensor);
    }
  };
  if (lora_ != nullptr) add(kLoraPrefix, *lora_);
  if (config_.parts == TunedParts::kWhole) {
    add(kEncoderPrefix, model_.image_encoder());
  }
  for (const auto& [name, tensor] : model_.mask_decoder.named_parameters()) {
    if (behind_single_mask(name)) {
      tuned.emplace_back(kDecoderPrefix + name, tensor);
    }
  }
  return tuned;
}

std::vector<const Module*> SegmentationTask::blocks() {
  if (config_.parts != TunedParts::kWhole) return {};
  return model_.image_encoder().blocks();
}

// Image by image, so that the bits are those of a cached embedding, and of any
// other cut of the batch.
at::Tensor SegmentationTask::embedding(const TrainingView& view) const {
  const bool frozen = config_.parts == TunedParts::kDecoder;
  const at::Device device = model_.device();
  if (view.embedding.defined()) {
    SONO_CHECK(frozen, "a ready-made embedding of an encoder in training");
    return view.embedding.to(device);
  }
  const at::Tensor input = view.input.to(device);
  return frozen ? model_.encode(input) : model_.image_encoder()(input);
}

at::Tensor SegmentationTask::loss(std::int64_t step, std::int64_t begin,
                                  std::int64_t end) {
  SONO_CHECK(0 <= begin && begin < end && end <= config_.batch_size,
             "positions " << begin << " to " << end);
  std::vector<at::Tensor> embeddings, targets, boxes;
  for (std::int64_t position = begin; position < end; ++position) {
    const auto n =
        static_cast<std::uint64_t>(step * config_.batch_size + position);
    const TrainingView view = this->view(n);
    const Box box = prompt(view, n);
    embeddings.push_back(embedding(view));
    targets.push_back(view.target);
    boxes.push_back(box_prompt(box, model_.config()));
  }
  SamPrompts prompts;
  const at::Device device = model_.device();
  prompts.boxes = at::stack(boxes).to(device);
  const at::Tensor logits =
      model_.decode(at::cat(embeddings), prompts).logits.select(1, 0);
  const double share = static_cast<double>(end - begin) /
                       static_cast<double>(config_.batch_size);
  return dice_cross_entropy(logits, at::stack(targets).to(device)) * share;
}

// Synthetic images, where there are any, take the odd views. Each pool is gone
// through in a new order every epoch; epoch e uses variant e mod variants.
TrainingView SegmentationTask::view(std::uint64_t n) const {
  if (config_.one_set) return view_of_one_set(n);
  const bool both = real_.count > 0 && synthetic_.count > 0;
  const bool synthetic = both ? n % 2 == 1 : real_.count == 0;
  const TrainingPool& pool = synthetic ? synthetic_ : real_;
  const std::uint64_t turn = both ? n / 2 : n;
  const auto count = static_cast<std::uint64_t>(pool.count);
  const std::uint64_t epoch = turn / count;
  const RandomKey key =
      make_key(synthetic ? "segment.order.synthetic" : "segment.order.real",
               config_.seed, 0, epoch);
  return pool.get(
      static_cast<std::int64_t>(permuted_index(turn % count, count, key)),
      static_cast<std::int64_t>(epoch %
                                static_cast<std::uint64_t>(pool.variants)));
}

TrainingView SegmentationTask::view_of_one_set(std::uint64_t n) const {
  const auto count = static_cast<std::uint64_t>(real_.count + synthetic_.count);
  const std::uint64_t epoch = n / count;
  const RandomKey key =
      make_key("segment.order.one_set", config_.seed, 0, epoch);
  const auto index =
      static_cast<std::int64_t>(permuted_index(n % count, count, key));
  const bool synthetic = index >= real_.count;
  const TrainingPool& pool = synthetic ? synthetic_ : real_;
  return pool.get(synthetic ? index - real_.count : index,
                  static_cast<std::int64_t>(
                      epoch % static_cast<std::uint64_t>(pool.variants)));
}

Box SegmentationTask::prompt(const TrainingView& view, std::uint64_t n) const {
  Random random(make_key("segment.prompt", config_.seed, n));
  if (random.uniform() < config_.whole_frame_share) return view.whole;
  return jittered(view.box, view.whole, random, config_.max_jitter_px);
}

}  // namespace sono
