// Compares SAM at full size with what tests/parity/full/sam.py wrote.
//
//   sam_full DIR PARAMETERS
//
// DIR holds meta.pth and hugging_face/, the same model of PARAMETERS numbers
// twice, and perhaps reference.safetensors.

#include <ATen/Parallel.h>

#include <cstdio>
#include <filesystem>

#include "core/error.h"
#include "models/io/safetensors.h"
#include "models/sam/load_sam.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

bool all_passed = true;

void check(const std::string& what, double error, double tolerance) {
  const bool passed = error <= tolerance;
  all_passed &= passed;
  std::printf("check 14: %s: max error %.1e (tolerance %.0e) %s\n",
              what.c_str(), error, tolerance, passed ? "PASS" : "FAIL");
  std::fflush(stdout);
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// The largest |logit| of the peer where the mask differs.
double largest_flip(const at::Tensor& own, const at::Tensor& peer) {
  const at::Tensor flipped = own.gt(0).ne(peer.gt(0));
  return peer.abs().mul(flipped).max().item<double>();
}

void compare_files(const fs::path& dir, double parameters) {
  double count = 0, largest = 0;
  const auto meta = load_sam(dir / "meta.pth");
  const auto other = load_sam(dir / "hugging_face");
  const StateDict renamed = other->state();
  for (const auto& [name, tensor] : meta->state()) {
    count += static_cast<double>(tensor.numel());
    largest = std::max(largest, difference(tensor, renamed.at(name)));
  }
  check("number of parameters", std::abs(count - parameters), 0);
  check("weights through both key maps", largest, 0);
}

void compare_outputs(const fs::path& dir) {
  const at::NoGradGuard no_grad;
  const StateDict expected = load_safetensors(dir / "reference.safetensors");
  auto model = load_sam(dir / "meta.pth");
  const at::Tensor embedding = model->encode(expected.at("image"));
  check("embedding beside Meta's",
        difference(embedding, expected.at("embedding")), 1e-3);
  check("embedding beside Hugging Face's",
        difference(embedding, expected.at("hugging_face.embedding")), 1e-3);
  SamPrompts prompts;
  prompts.boxes = expected.at("box");
  const SamMasks single = model->decode(embedding, prompts);
  check("logits of a box", difference(single.logits, expected.at("single")),
        2e-3);
  check("IoU of a box", difference(single.iou, expected.at("iou")), 2e-3);
  check("logits where the mask differs",
        largest_flip(single.logits, expected.at("single")), 2e-3);
  prompts.points = expected.at("points");
  prompts.point_labels = expected.at("labels");
  prompts.masks = expected.at("single");
  const SamMasks several =
      model->decode(embedding, prompts, MaskDecoder::Output::kMulti);
  check("three masks of points, box and mask",
        difference(several.logits, expected.at("several")), 2e-3);

  StateDict changed = model->state();
  const char* name = "image_encoder.blocks.5.attn.rel_pos_w";
  changed[name] = changed[name].clone();
  changed[name].flatten()[4000].add_(0.5);
  model->load(changed, "changed");
  const double error =
      difference(model->encode(expected.at("image")), expected.at("embedding"));
  all_passed &= error > 1e-3;
  std::printf(
      "check 14: one weight changed: max error %.1e, must exceed 1e-03 "
      "%s\n",
      error, error > 1e-3 ? "PASS" : "FAIL");
}

}  // namespace
}  // namespace sono

int main(int argc, char** argv) {
  try {
    if (argc != 3) throw sono::ConfigError("usage: sam_full DIR PARAMETERS");
    at::set_num_threads(2);
    const std::filesystem::path dir = argv[1];
    sono::compare_files(dir, std::stod(argv[2]));
    if (std::filesystem::exists(dir / "reference.safetensors")) {
      sono::compare_outputs(dir);
    }
    return sono::all_passed ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
