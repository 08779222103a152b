#include "experiments/image_quality/feature_extractor.h"

#include <ATen/Parallel.h>

#include <cmath>

#include "core/error.h"
#include "core/hash.h"
#include "models/inception/inception_v3.h"
#include "models/io/safetensors.h"
#include "models/io/torch_pickle.h"
#include "trainer/sam_frame.h"

namespace sono {
namespace {

class LiteMedSamExtractor : public FeatureExtractor {
 public:
  LiteMedSamExtractor(FrozenFeatures& features, std::string weights_hash)
      : features_(features), weights_hash_(std::move(weights_hash)) {}

  std::string name() const override { return "lite-medsam"; }
  std::string hash() const override { return weights_hash_; }
  at::Tensor features(const cv::Mat& image) override {
    const at::Tensor embedding = features_.embedding(image);
    const SamFrame frame(image.size());
    // The frame is padded; cells beyond the image show nothing of it.
    const auto shown = [&](int side_px, std::int64_t cells) {
      const double cell_px =
          static_cast<double>(SamFrame::kSidePx) / static_cast<double>(cells);
      return static_cast<std::int64_t>(std::ceil(side_px / cell_px));
    };
    return embedding[0]
        .slice(1, 0, shown(frame.size.height, embedding.size(2)))
        .slice(2, 0, shown(frame.size.width, embedding.size(3)))
        .mean({1, 2});
  }

 private:
  FrozenFeatures& features_;
  std::string weights_hash_;
};

StateDict load_weights(const std::filesystem::path& file) {
  return file.extension() == ".safetensors" ? load_safetensors(file)
                                            : load_torch_checkpoint(file);
}

class InceptionExtractor : public FeatureExtractor {
 public:
  explicit InceptionExtractor(const std::filesystem::path& weights)
      : hash_(sha256_file(weights)) {
    network_.load(load_weights(weights), weights.string());
  }

  std::string name() const override { return "inception"; }
  std::string hash() const override { return hash_; }
  at::Tensor features(const cv::Mat& image) override {
    const cv::Mat whole = image.isContinuous() ? image : image.clone();
    const at::Tensor grey =
        at::from_blob(whole.data, {1, 1, whole.rows, whole.cols}, at::kByte)
            .to(at::kFloat);
    return network_.features(grey.expand({1, 3, whole.rows, whole.cols}))[0];
  }

 private:
  InceptionV3 network_;
  std::string hash_;
};

}  // namespace

std::unique_ptr<FeatureExtractor> lite_medsam_extractor(
    FrozenFeatures& features, const std::string& weights_hash) {
  return std::make_unique<LiteMedSamExtractor>(features, weights_hash);
}

std::unique_ptr<FeatureExtractor> inception_extractor(
    const std::filesystem::path& weights) {
  return std::make_unique<InceptionExtractor>(weights);
}

std::unique_ptr<FeatureExtractor> make_extractor(const std::string& option,
                                                 const std::string& text) {
  const auto colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  const std::string file = colon == text.npos ? "" : text.substr(colon + 1);
  if (kind == "texture" && file.empty()) return texture_extractor();
  if (kind == "inception" && !file.empty()) return inception_extractor(file);
  if (kind == "script" && !file.empty()) return script_extractor(file);
  throw ConfigError("option " + option + " = " + text +
                    " is none of texture, inception:FILE, script:FILE");
}

}  // namespace sono
