#include "trainer/latent_images.h"

#include <array>
#include <opencv2/imgproc.hpp>

#include "core/atomic_file.h"
#include "core/check.h"
#include "trainer/diffusion_task.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

// First line without the blanks around it.
std::string read_caption(const fs::path& path) {
  const std::string text = read_file(path);
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) {
    throw DataError(path.string() +
                    ": is empty; write the caption into it or "
                    "remove it");
  }
  const auto line_end = text.find_first_of("\r\n", begin);
  const auto line = text.substr(begin, line_end - begin);
  return line.substr(0, line.find_last_not_of(" \t") + 1);
}

void replace_all(std::string& text, const std::string& name,
                 const std::string& value) {
  for (auto at = text.find(name); at != std::string::npos;
       at = text.find(name, at + value.size())) {
    text.replace(at, name.size(), value);
  }
}

std::string filled(std::string caption, const CohortEntry& entry) {
  constexpr std::array kTrimesters = {"first", "second", "third"};
  if (caption.find("{trimester}") != std::string::npos) {
    const int trimester = entry.info.trimester;
    if (trimester < 1 || trimester > 3) {
      throw DataError(entry.image_path.string() +
                      ": its trimester is not known, which the caption names; "
                      "add trimester.csv or change data.caption");
    }
    replace_all(caption, "{trimester}",
                kTrimesters.at(static_cast<std::size_t>(trimester - 1)));
  }
  if (caption.find("{label}") != std::string::npos) {
    if (entry.label.empty()) {
      throw DataError(entry.image_path.string() +
                      ": is in no class folder, which the caption names; "
                      "change data.caption");
    }
    replace_all(caption, "{label}", entry.label);
  }
  return caption;
}

// fp32 [1, H, W]
at::Tensor plane(const cv::Mat& image, double scale, double offset) {
  cv::Mat values;
  image.convertTo(values, CV_32F, scale, offset);
  return at::from_blob(values.data, {1, values.rows, values.cols}, at::kFloat)
      .clone();
}

}  // namespace

std::string caption_of(const CohortEntry& entry, const std::string& fallback) {
  fs::path own = entry.image_path;
  own.replace_extension(".txt");
  if (fs::exists(own)) return read_caption(own);
  const fs::path shared = entry.image_path.parent_path() / "caption.txt";
  if (fs::exists(shared)) return read_caption(shared);
  return filled(fallback, entry);
}

void LatentImageConfig::validate(const std::string& prefix) const {
  parse_mask_guidance(prefix + ".channels", channels);
  check_range(prefix + ".variants", variants, 1, 1024);
  if (caption.empty()) {
    throw ConfigError("option " + prefix + ".caption is empty");
  }
  size.validate(prefix);
  augment.validate("augment");
}

void describe(OptionTable& table, const std::string& prefix,
              LatentImageConfig& config) {
  const auto result = OptionKind::kResult;
  table.add(
      prefix + ".channels", &config.channels, result,
      "how the mask takes part: grey (not at all), joint (its outline is the "
      "third channel), concat (a channel beside the latent) or controlnet");
  table.add(prefix + ".caption", &config.caption, result,
            "for images without NAME.txt or their folder's caption.txt; may "
            "name {label} and {trimester}");
  table.add(prefix + ".variants", &config.variants, result,
            "augmented versions of each image, encoded once each; 1: none");
  describe(table, prefix, config.size);
  describe(table, "augment", config.augment);
}

LatentImages::LatentImages(const Cohort& cohort,
                           std::vector<std::size_t> members,
                           const LatentImageConfig& config, std::uint64_t seed)
    : cohort_(cohort),
      members_(std::move(members)),
      config_(config),
      guidance_(parse_mask_guidance("data.channels", config.channels)),
      seed_(seed) {
  for (const std::size_t member : members_) {
    const CohortEntry& entry = cohort.entry(member);
    if (guidance_ != MaskGuidance::kNone && entry.mask_path.empty()) {
      throw DataError(entry.image_path.string() +
                      ": has no mask, which data.channels=" + config.channels +
                      " needs");
    }
    captions_.push_back(caption_of(entry, config.caption));
    sizes_.push_back(
        choose_bucket(config.size, cohort.load(member).image.size()));
  }
}

cv::Size LatentImages::size(std::int64_t index) const {
  return sizes_.at(static_cast<std::size_t>(index));
}

const std::string& LatentImages::caption(std::int64_t index) const {
  return captions_.at(static_cast<std::size_t>(index));
}

DiffusionPair LatentImages::pair(std::int64_t index,
                                 std::int64_t variant) const {
  const Sample sample =
      cohort_.load(members_.at(static_cast<std::size_t>(index)));
  const cv::Size bucket = size(index);
  DiffusionPair pair;
  pair.image = plane(fit_to_bucket(sample.image, bucket), 1 / 127.5, -1);
  if (guidance_ == MaskGuidance::kNone) {
    pair.mask = at::zeros_like(pair.image);
  } else {
    pair.mask = plane(fit_to_bucket(sample.mask, bucket), 1 / 255.0, 0)
                    .gt(0.5)
                    .to(at::kFloat);
  }
  if (variant == 0) return pair;
  Random random(make_key("latent.augment", seed_,
                         static_cast<std::uint64_t>(index),
                         static_cast<std::uint64_t>(variant)));
  return augment(pair, config_.augment, random);
}

at::Tensor LatentImages::pixels(std::int64_t index,
                                std::int64_t variant) const {
  const DiffusionPair seen = pair(index, variant);
  const bool joint = guidance_ == MaskGuidance::kJoint;
  const at::Tensor third = joint ? outline_of(seen.mask) * 2 - 1 : seen.image;
  return at::cat({seen.image, seen.image, third});
}

at::Tensor LatentImages::mask(std::int64_t index, std::int64_t variant) const {
  return pair(index, variant).mask;
}

}  // namespace sono
