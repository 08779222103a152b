// Checkpoint files: their bytes, any number of writers and readers, damage.

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "dist/checkpoint/reader.h"
#include "dist/checkpoint/verify.h"
#include "tests/core/expect_error.h"
#include "tests/dist/checkpoint_fixture.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

using CheckpointTest = CheckpointFixture;

void flip_bit(const fs::path& path, std::uint64_t byte, int bit) {
  std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto at = static_cast<std::streamoff>(byte);
  stream.seekg(at);
  const auto flipped = static_cast<char>(stream.get() ^ (1 << bit));
  stream.seekp(at);
  stream.put(flipped);
}

void cut(const fs::path& path) {
  fs::resize_file(path, fs::file_size(path) - 9);
}

// By the letter of the format's description, without our reader: 8 bytes of
// little-endian length, a JSON object that begins with '{' and may end in
// spaces, offsets that tile the rest of the file.
TEST_F(CheckpointTest, BytesFollowTheSafetensorsFormat) {
  const fs::path folder = save(2, 1, 3, root_);
  for (const char* name :
       {"model.safetensors", "optimizer.safetensors", "ema.safetensors"}) {
    const std::string bytes = read_file(folder / name);
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);  // on a little-endian machine
    ASSERT_LT(length, bytes.size());
    EXPECT_EQ((8 + length) % 4096, 0u);
    const std::string text = bytes.substr(8, length);
    EXPECT_EQ(text[0], '{');
    EXPECT_EQ(text.find_first_not_of(' ', text.rfind('}') + 1),
              std::string::npos);
    std::map<std::uint64_t, std::uint64_t> ranges;
    const auto json = nlohmann::json::parse(text);
    for (const auto& [key, value] : json.items()) {
      if (key == "__metadata__") {
        EXPECT_EQ(value, (nlohmann::json{{"format", "pt"}}));
        continue;
      }
      EXPECT_EQ(value.at("dtype"), "F32");
      const std::uint64_t begin = value.at("data_offsets").at(0);
      const std::uint64_t end = value.at("data_offsets").at(1);
      EXPECT_EQ(value.at("shape").size(), 1u);
      EXPECT_EQ(value.at("shape").at(0).get<std::uint64_t>() * 4, end - begin);
      ranges[begin] = end;
    }
    std::uint64_t at = 0;
    for (const auto& [begin, end] : ranges) {
      EXPECT_EQ(begin, at);
      at = end;
    }
    EXPECT_EQ(8 + length + at, bytes.size()) << name;
  }
}

TEST_F(CheckpointTest, ValuesStandAtTheirOffsets) {
  const std::string bytes =
      read_file(save(3, 2, 3, root_) / "optimizer.safetensors");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  const auto json = nlohmann::json::parse(bytes.substr(8, length));
  const Arena arena = make_arena(1);
  const auto views = arena.layout().views(arena.exp_avg_sq.data);
  for (const auto& [name, view] : views) {
    const std::uint64_t begin =
        json.at("exp_avg_sq." + name).at("data_offsets").at(0);
    EXPECT_EQ(std::memcmp(bytes.data() + 8 + length + begin,
                          view.const_data_ptr(), view.nbytes()),
              0)
        << name;
  }
}

struct World {
  int ranks;
  int stage;
};

TEST_F(CheckpointTest, AnyRanksAndShardsWriteTheSameAndAnyRead) {
  const fs::path one = save(1, 0, 3, root_ / "1");
  const std::vector<World> worlds = {{2, 0}, {3, 0}, {2, 1}, {3, 2},
                                     {4, 3}, {5, 3}, {1, 3}, {9, 2}};
  const Arena expected = make_arena(1);
  for (std::size_t w = 0; w < worlds.size(); ++w) {
    const auto [ranks, stage] = worlds[w];
    const fs::path many = save(ranks, stage, 3, root_ / std::to_string(w + 2));
    for (const auto& entry : fs::directory_iterator(one)) {
      const auto name = entry.path().filename();
      EXPECT_EQ(sha256_file(many / name), sha256_file(one / name))
          << name << " from " << ranks << " ranks, stage " << stage;
    }
    const World reader = worlds[(w + 3) % worlds.size()];
    run_local_ranks(reader.ranks, [&, many = many](Communicator& comm) {
      Arena arena = make_arena(2, reader.stage, comm);
      load_checkpoint(comm, many, arena);
      expect_equal(arena, expected);
    });
  }
}

TEST_F(CheckpointTest, ManifestKnowsNothingOfTheWorld) {
  const fs::path folder = save(3, 1, 3, root_);
  for (const char* name : {"manifest.json", "state.json"}) {
    const auto json = nlohmann::json::parse(read_file(folder / name));
    for (const char* key : {"world_size", "ranks", "host", "time"}) {
      EXPECT_FALSE(json.contains(key)) << key;
    }
  }
}

TEST_F(CheckpointTest, EveryKindOfDamageIsNamedOnEveryRank) {
  const auto message = [&](const char* file, auto&& damage) {
    const fs::path folder = save(1, 0, 3, root_);
    damage(folder / file);
    std::string alone = "accepted";
    try {
      verify_checkpoint(folder);
    } catch (const DataError& e) {
      alone = e.what();
    }
    run_local_ranks(3, [&](Communicator& comm) {
      try {
        verify_checkpoint(comm, folder);
        EXPECT_EQ(alone, "accepted");
      } catch (const DataError& e) {
        EXPECT_EQ(e.what(), alone);
      }
    });
    return alone;
  };
  const auto flip = [](const fs::path& path) {
    flip_bit(path, fs::file_size(path) - 5, 2);
  };
  const auto remove = [](const fs::path& path) { fs::remove(path); };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(message("ema.safetensors", cut), "ema.safetensors: has"));
  EXPECT_TRUE(has(message("model.safetensors", flip), "checksum of block 3"));
  EXPECT_TRUE(has(message("state.json", remove), "state.json: missing"));
  EXPECT_TRUE(has(message("manifest.json", cut), "manifest.json"));
  EXPECT_EQ(message("model.safetensors", [](const fs::path&) {}), "accepted");
}

TEST_F(CheckpointTest, AWrongDigestIsFoundWhereEveryCrcHolds) {
  const fs::path folder = save(1, 0, 3, root_);
  std::string text = read_file(folder / "manifest.json");
  const auto at = text.find("blocks_sha256") + 17;
  text[at] = text[at] == '0' ? '1' : '0';
  write_file_atomic(folder / "manifest.json", text);
  EXPECT_ERROR(verify_checkpoint(folder), DataError, "ema.safetensors",
               "SHA-256 differs");
}

TEST_F(CheckpointTest, NoSingleFlippedBitIsAccepted) {
  const fs::path folder = root_ / "step-00000003";
  Arena arena({{"w", at::arange(5000, at::kFloat).requires_grad_()}}, {});
  {
    const auto alone = make_single_rank();
    CheckpointStore store(*alone, root_, arena);
    store.save(make_state(3));
    store.finish();
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  ASSERT_EQ(files.size(), 4u);
  EXPECT_EQ(verify_checkpoint(folder).step, 3);
  Random random(make_key("flips", 1));
  for (int i = 0; i < 600; ++i) {
    const fs::path& file = files[random.below(files.size())];
    const auto byte = random.below(fs::file_size(file));
    const int bit = static_cast<int>(random.below(8));
    flip_bit(file, byte, bit);
    EXPECT_THROW(verify_checkpoint(folder), Error)
        << file << " byte " << byte << " bit " << bit;
    flip_bit(file, byte, bit);
  }
}

TEST_F(CheckpointTest, OfOtherVersionsIsRefusedNotPassedOver) {
  const fs::path folder = save(1, 0, 3, root_);
  std::string text = read_file(folder / "manifest.json");
  text.replace(text.find("\"version\": 2"), 12, "\"version\": 1");
  write_file_atomic(folder / "manifest.json", text);
  EXPECT_ERROR(find_checkpoint(*make_single_rank(), root_, make_state(0)),
               ConfigError, "version 1", "another output folder");
}

TEST_F(CheckpointTest, RanksAgreeOnTheNewestWholeOne) {
  save(1, 0, 3, root_);
  save(1, 0, 4, root_);
  const fs::path newest = save(1, 0, 5, root_);
  EXPECT_EQ(list_checkpoints(root_).size(), 2u);
  flip_bit(newest / "optimizer.safetensors", 2'500'000, 0);
  run_local_ranks(3, [&](Communicator& comm) {
    const auto found = find_checkpoint(comm, root_, make_state(0));
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->state.step, 4);
    EXPECT_FALSE(find_checkpoint(comm, root_ / "none", make_state(0)));
  });
}

TEST_F(CheckpointTest, OtherShapesAreNamed) {
  const fs::path folder = save(1, 0, 3, root_);
  NamedTensors parameters = {{"a.bias", at::zeros({34}).requires_grad_()},
                             {"b.weight", at::zeros({2}).requires_grad_()},
                             {"c.scale", at::zeros({2}).requires_grad_()}};
  Arena arena(parameters, {.with_ema = true});
  EXPECT_ERROR(load_checkpoint(*make_single_rank(), folder, arena), DataError,
               "model.safetensors", "tensor a.bias");
}

// For tests/parity/checkpoint_readers: element i of every tensor is i / 8 -
// 100, times 1, 2, 4 and 3 in params, exp_avg, exp_avg_sq and ema.
TEST(CheckpointSample, Write) {
  const char* root = std::getenv("SAMPLE_ROOT");
  if (root == nullptr) GTEST_SKIP() << "run by tests/parity/checkpoint_readers";
  run_local_ranks(3, [&](Communicator& comm) {
    const auto make = [](at::IntArrayRef shape) {
      const std::int64_t count = c10::multiply_integers(shape);
      return (at::arange(count, at::kFloat) / 8 - 100)
          .reshape(shape)
          .requires_grad_();
    };
    Arena arena({{"b.ramp", make({300'000})},
                 {"a.block", make({3, 5, 7})},
                 {"c.none", make({0, 4})}},
                {.with_ema = true,
                 .zero_stage = 2,
                 .rank = comm.rank(),
                 .world_size = comm.world_size(),
                 .buckets = {.first_bytes = 1 << 18, .bytes = 1 << 18}});
    for (const Range& range : arena.owned()) {
      const at::Tensor values = arena.params.view(range);
      arena.exp_avg.view(range).copy_(values * 2);
      arena.exp_avg_sq.view(range).copy_(values * 4);
      arena.ema.view(range).copy_(values * 3);
    }
    CheckpointStore store(comm, root, arena);
    store.save(make_state(7));
    store.finish();
  });
}

}  // namespace
}  // namespace sono
