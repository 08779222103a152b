#include "trainer/segmentation_task.h"

#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "trainer/sam_frame.h"

namespace sono {
namespace {

constexpr char kPrefix[] = "mask_decoder.";
constexpr double kSmooth = 1e-5;  // MONAI's smooth_nr and smooth_dr

bool behind_single_mask(const std::string& name) {
  const std::string hypernetworks = "output_hypernetworks_mlps.";
  if (name.rfind("iou_prediction_head.", 0) == 0) return false;
  return name.rfind(hypernetworks, 0) != 0 ||
         name.rfind(hypernetworks + "0.", 0) == 0;
}

}  // namespace

at::Tensor dice_cross_entropy(const at::Tensor& logits,
                              const at::Tensor& target) {
  const at::Tensor inside = logits.sigmoid();
  const at::Tensor overlap = (inside * target).sum({-2, -1});
  const at::Tensor total =
      inside.square().sum({-2, -1}) + target.square().sum({-2, -1});
  const at::Tensor dice = 1 - (2 * overlap + kSmooth) / (total + kSmooth);
  return dice.mean() + at::binary_cross_entropy_with_logits(logits, target);
}

SegmentationTask::SegmentationTask(Sam& model, TrainingPool real,
                                   TrainingPool synthetic,
                                   const SegmentationTaskConfig& config)
    : model_(model),
      real_(std::move(real)),
      synthetic_(std::move(synthetic)),
      config_(config) {
  if (real_.count == 0 && synthetic_.count == 0) {
    throw DataError("there are no images to tune the segmenter on");
  }
  SONO_CHECK(
      config_.batch_size > 0 && real_.variants > 0 && synthetic_.variants > 0,
      "batch size and variants are at least 1");
  for (auto& [name, tensor] : parameters()) tensor.set_requires_grad(true);
}

NamedTensors SegmentationTask::parameters() {
  NamedTensors tuned;
  for (const auto& [name, tensor] : model_.mask_decoder.named_parameters()) {
    if (behind_single_mask(name)) tuned.emplace_back(kPrefix + name, tensor);
  }
  return tuned;
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
    embeddings.push_back(view.embedding);
    targets.push_back(view.target);
    boxes.push_back(at::tensor({box.x0, box.y0, box.x1, box.y1}, at::kFloat));
  }
  SamPrompts prompts;
  prompts.boxes = at::stack(boxes);
  const at::Tensor logits =
      model_.decode(at::cat(embeddings), prompts).logits.select(1, 0);
  const double share = static_cast<double>(end - begin) /
                       static_cast<double>(config_.batch_size);
  return dice_cross_entropy(logits, at::stack(targets)) * share;
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
