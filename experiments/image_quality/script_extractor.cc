#include <torch/csrc/jit/serialization/import.h>

#include <opencv2/core.hpp>

#include "core/error.h"
#include "core/hash.h"
#include "experiments/image_quality/feature_extractor.h"

namespace sono {
namespace {

class ScriptExtractor : public FeatureExtractor {
 public:
  explicit ScriptExtractor(const std::filesystem::path& file)
      : file_(file.string()), hash_(sha256_file(file)) {
    try {
      module_ = torch::jit::load(file_, at::Device(at::kCPU));
      module_.eval();
    } catch (const std::exception&) {
      throw DataError(file_ +
                      ": not a TorchScript file; save the extractor with "
                      "torch.jit.save(torch.jit.script(model), FILE)");
    }
  }

  std::string name() const override {
    return std::filesystem::path(file_).stem().string();
  }
  std::string hash() const override { return hash_; }
  at::Tensor features(const cv::Mat& image) override {
    const at::NoGradGuard no_grad;
    const cv::Mat whole = image.isContinuous() ? image : image.clone();
    const at::Tensor grey =
        at::from_blob(whole.data, {1, 1, whole.rows, whole.cols}, at::kByte)
            .to(at::kFloat)
            .div(255)
            .expand({1, 3, whole.rows, whole.cols});
    at::Tensor made;
    try {
      made = module_.forward({grey.contiguous()}).toTensor();
    } catch (const std::exception& error) {
      throw DataError(file_ + ": the network fails on a " +
                      std::to_string(whole.cols) + "x" +
                      std::to_string(whole.rows) +
                      " image: " + std::string(error.what()).substr(0, 300));
    }
    if (made.dim() != 2 || made.size(0) != 1) {
      throw DataError(file_ +
                      ": the network must turn [1, 3, H, W] into "
                      "[1, features]");
    }
    return made[0].to(at::kFloat);
  }

 private:
  std::string file_;
  std::string hash_;
  torch::jit::Module module_;
};

}  // namespace

std::unique_ptr<FeatureExtractor> script_extractor(
    const std::filesystem::path& file) {
  return std::make_unique<ScriptExtractor>(file);
}

}  // namespace sono
