#include "models/io/torch_pickle.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/random.h"
#include "tests/core/expect_error.h"
#include "tests/models/io/zip_writer.h"

namespace sono {
namespace {

using namespace sono::testing;  // NOLINT: builders of this test

const std::string kFourFloats(
    "\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x80\x40", 16);

std::filesystem::path archive(const std::string& pickle,
                              const std::string& data = kFourFloats) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "made.pth";
  std::ofstream(path, std::ios::binary)
      << zip_bytes({{"made/data.pkl", pickle}, {"made/data/0", data}});
  return path;
}

void expect_refused(const std::string& pickle, const std::string& because) {
  EXPECT_ERROR(load_torch_checkpoint(archive(pickle)), DataError, "made.pth",
               because);
}

TEST(TorchPickle, ReadsATensorWithItsStrides) {
  const StateDict state =
      load_torch_checkpoint(archive(dict_with(tensor(4, 0, {2, 2}, {1, 2}))));
  const at::Tensor expected = at::tensor({1.f, 3.f, 2.f, 4.f}).view({2, 2});
  EXPECT_TRUE(at::equal(state.at("weight"), expected));
}

TEST(TorchPickle, LooksUnderModelAndStateDict) {
  for (const char* key : {"model", "state_dict"}) {
    const std::string inner = "}" + text("w") + tensor(4, 1, {3}, {1}) + "s";
    const StateDict state = load_torch_checkpoint(archive(
        "\x80\x02}(" + text("epoch") + integer(3) + text(key) + inner + "u."));
    EXPECT_EQ(state.at("w").numel(), 3);
  }
}

TEST(TorchPickle, RunsNothing) {
  const std::string command = "(" + text("touch /tmp/sono_was_here") + "tR";
  expect_refused(dict_with(global("os", "system") + command), "os.system");
  expect_refused(dict_with(global("builtins", "eval") + command),
                 "builtins.eval");
  expect_refused(dict_with(global("torch", "load") + command), "torch.load");
  expect_refused(dict_with(global("torch", "FloatStorage") + command),
                 "calls torch.FloatStorage");
  expect_refused(dict_with(global("numpy", "ndarray") + ")\x81"),
                 "made by numpy.ndarray");
  expect_refused(dict_with(text("os") + ")\x81"), "an object is malformed");
  // STACK_GLOBAL, INST, OBJ, EXT1.
  for (const char* opcode : {"\x93", "i", "o", "\x82"}) {
    expect_refused(dict_with(text("os") + text("system") + opcode), "opcode");
  }
}

// What pytorch-lightning leaves beside the weights: a class as a key, an object
// with attributes, a default dictionary that is filled, a wide integer.
TEST(TorchPickle, PassesOverWhatStandsBesideTheWeights) {
  const std::string class_of =
      global("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint");
  const std::string object = class_of + ")\x81}" + text("monitor") + "Ns" + "b";
  const std::string filled = global("collections", "defaultdict") + "(" +
                             global("__builtin__", "list") + "tR" +
                             text("key") + integer(1) + "s";
  const std::string scalar = global("numpy.core.multiarray", "scalar") + "(" +
                             text("f8") + text("bytes") + "tR";
  const std::string wide = "\x8a\x0a" + std::string(10, '\x01');
  const std::string pickle =
      "\x80\x02}(" + text("callbacks") + "}" + class_of + object + "s" +
      text("filled") + filled + text("score") + scalar + text("wide") + wide +
      text("state_dict") + "}" + text("w") + tensor(4, 0, {4}, {1}) + "su.";
  const StateDict state = load_torch_checkpoint(archive(pickle));
  ASSERT_EQ(state.size(), 1u);
  EXPECT_EQ(state.at("w")[3].item<float>(), 4);
  // Not among the weights themselves, and not from anywhere.
  expect_refused(dict_with(scalar), "made by numpy.core.multiarray.scalar");
  expect_refused(dict_with(class_of), "ModelCheckpoint, not a tensor");
  expect_refused("\x80\x02}(" + text("callbacks") + global("os", "system") +
                     "(" + text("id") + "tR" + text("state_dict") + "}" +
                     text("w") + tensor(4, 0, {4}, {1}) + "su.",
                 "os.system");
  expect_refused(dict_with(global("builtins", "exec") + "(" + text("1") + "tR"),
                 "builtins.exec");
}

TEST(TorchPickle, NamesTheRemedyForOldFiles) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "old.ckpt";
  std::ofstream(path, std::ios::binary)
      << std::string("\x80\x02\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02", 17);
  EXPECT_ERROR(load_torch_checkpoint(path), DataError, "old.ckpt",
               "format of torch before 1.6", "torch.save(torch.load(");
}

TEST(TorchPickle, RefusesViewsOutsideTheirStorage) {
  const std::string because = "outside its storage";
  expect_refused(dict_with(tensor(4, 0, {5}, {1})), because);
  expect_refused(dict_with(tensor(4, 3, {2}, {1})), because);
  expect_refused(dict_with(tensor(4, -1, {2}, {1})), because);
  expect_refused(dict_with(tensor(4, 0, {2}, {-1})), because);
  expect_refused(dict_with(tensor(4, 0, {-2}, {1})), because);
  expect_refused(dict_with(tensor(4, 0, {2}, {2147483647})), because);
  // One element repeated two thousand million times.
  expect_refused(dict_with(tensor(4, 0, {2147483647}, {0})), because);
  expect_refused(dict_with(tensor(4, 0, {2}, {1, 1})), because);
  expect_refused(dict_with(tensor(4, 0, {2147483647, 2147483647, 2147483647, 0},
                                  {0, 0, 0, 0})),
                 because);
}

TEST(TorchPickle, RefusesStoragesOfAnotherSize) {
  expect_refused(dict_with(tensor(5, 0, {2}, {1})), "not 5 elements");
  expect_refused(dict_with(tensor(-1, 0, {2}, {1})), "not -1 elements");
}

TEST(TorchPickle, RefusesWhatIsNotADictionaryOfTensors) {
  expect_refused("\x80\x02" + integer(3) + ".", "no dictionary");
  expect_refused("\x80\x02}.", "no tensors");
  expect_refused(dict_with(integer(3)), "weight is not a tensor");
  expect_refused("\x80\x02.", "stack is empty");
  expect_refused("\x80\x02}", "cut short");
  expect_refused("\x80\x02}h\x07.", "recalls");
  expect_refused("", "cut short");
}

TEST(TorchPickle, SurvivesDeepNestingAndCycles) {
  expect_refused("\x80\x02)" + std::string(300'000, '\x85') + ".",
                 "no dictionary");
  std::string marks("\x80\x02");
  expect_refused(marks + std::string(300'000, '(') + ".", "stack is empty");
  // A list inside itself.
  expect_refused(dict_with("]q\x01h\x01"
                           "a"),
                 "weight is not a tensor");
}

TEST(TorchPickle, RefusesTextAndMissingFiles) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "text.pth";
  std::ofstream(path) << "version https://git-lfs.github.com/spec/v1\n";
  EXPECT_ERROR(load_torch_checkpoint(path), DataError, "text.pth",
               "no zip directory");
  EXPECT_ERROR(load_torch_checkpoint("/nonexistent.pth"), DataError,
               "/nonexistent.pth");
}

// Loads or refuses; anything else (a crash, another error) fails the test.
bool loads(const std::filesystem::path& path) {
  try {
    (void)load_torch_checkpoint(path);
    return true;
  } catch (const DataError&) {
    return false;
  }
}

TEST(TorchPickle, SurvivesTruncationAndDamage) {
  const auto path = archive(dict_with(tensor(4, 0, {2, 2}, {2, 1})));
  const std::string whole = read_file(path);
  ASSERT_TRUE(loads(path));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    std::ofstream(path, std::ios::binary) << whole.substr(0, length);
    EXPECT_FALSE(loads(path)) << "cut to " << length;
  }
  int refused = 0;
  for (std::uint64_t trial = 0; trial < 2000; ++trial) {
    Random random(make_key("test.flip", 1, trial));
    std::string damaged = whole;
    for (std::uint64_t i = 0; i <= random.below(3); ++i) {
      damaged[random.below(damaged.size())] =
          static_cast<char>(random.below(256));
    }
    std::ofstream(path, std::ios::binary) << damaged;
    refused += !loads(path);
  }
  EXPECT_GT(refused, 500);
}

TEST(TorchPickle, ReadsThePublishedWeights) {
  const auto path =
      std::filesystem::path(SONO_SOURCE_DIR) / ".deps/weights/lite_medsam.pth";
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << "no LiteMedSAM weights: run launch/setup";
  }
  const StateDict state = load_torch_checkpoint(path);
  EXPECT_EQ(state.size(), 435u);
  EXPECT_EQ(state.at("mask_decoder.mask_tokens.weight").sizes(),
            (at::IntArrayRef{4, 256}));
  EXPECT_EQ(
      state.at("image_encoder.patch_embed.seq.0.bn.num_batches_tracked").dim(),
      0);
}

}  // namespace
}  // namespace sono
