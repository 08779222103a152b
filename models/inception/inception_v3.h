#pragma once
// Inception v3 as it stands in TensorFlow's 2015 graph, the extractor of
// published Frechet distances. Names, average pooling without the padding, and
// the maximum in the last block are those of torch-fidelity and pytorch-fid,
// whose weights file (pt_inception-2015-12-05) loads as it is. Who wants
// distances that compare with papers brings that file; none comes with this.

#include <initializer_list>
#include <map>

#include "models/inception/basic_conv.h"

namespace sono {

class InceptionV3 : public Module {
 public:
  static constexpr std::int64_t kImageSizePx = 299;
  static constexpr std::int64_t kFeatures = 2048;

  InceptionV3();
  // Strict but for the classifier and batch counters, which are not used.
  void load(StateDict state, const std::string& source);

  // fp32 [B, 3, H, W] in 0..255 -> fp32 [B, 2048]: resized to 299 px as
  // TensorFlow 1 does, brought to -1..1, and averaged after the last block.
  at::Tensor features(const at::Tensor& images) const;

  // TensorFlow 1's bilinear resize: pixel (0, 0) stays where it is.
  static at::Tensor resize(const at::Tensor& images, std::int64_t height,
                           std::int64_t width);

 private:
  // One block: branches of convolutions by their published names.
  class Block : public Module {
   public:
    void add(const std::string& name, std::int64_t in, std::int64_t out,
             BasicConvOptions options = {});
    // Runs the named convolutions one after another.
    at::Tensor run(at::Tensor x,
                   std::initializer_list<const char*> names) const;

   private:
    std::map<std::string, BasicConv> convolutions_;
  };

  Block& add_block(const std::string& name);
  void add_a(const std::string& name, std::int64_t in, std::int64_t pool);
  void add_c(const std::string& name, std::int64_t middle);
  void add_e(const std::string& name, std::int64_t in);
  at::Tensor run_a(const std::string& name, const at::Tensor& x) const;
  at::Tensor run_c(const std::string& name, const at::Tensor& x) const;
  at::Tensor run_e(const std::string& name, const at::Tensor& x,
                   bool maximum) const;

  std::map<std::string, Block> blocks_;
  std::map<std::string, BasicConv> stem_;
};

}  // namespace sono
