// Checkpoint files: layout, any number of writers and readers, bad disks.

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/random.h"
#include "core/safetensors_header.h"
#include "dist/checkpoint/file_image.h"
#include "dist/checkpoint/reader.h"
#include "dist/checkpoint/writer.h"
#include "tests/dist/test_world.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// About 3.2 MB of parameters, so that files have several blocks.
Arena make_arena(std::uint64_t seed) {
  NamedTensors parameters;
  for (const auto& [name, count] :
       std::vector<std::pair<std::string, std::int64_t>>{
           {"b.weight", 700001}, {"a.bias", 33}, {"c.scale", 100000}}) {
    Random random(make_key(name, seed));
    at::Tensor tensor = at::empty({count}, at::kFloat);
    random.fill_normal(tensor.data_ptr<float>(), tensor.numel());
    parameters.emplace_back(name, tensor.requires_grad_());
  }
  Arena arena(parameters, {.with_ema = true});
  arena.exp_avg.data.copy_(arena.params.data * 2);
  arena.exp_avg_sq.data.copy_(arena.params.data.square());
  arena.ema.data.copy_(arena.params.data * 3);
  return arena;
}

CheckpointState make_state(std::int64_t step) {
  CheckpointState state;
  state.step = step;
  state.optimizer = {step - 1, 1, 0};
  state.seed = 9;
  state.lanes = 4;
  state.config_hash = "abc";
  state.loss = 0.1;
  return state;
}

class CheckpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() /
            ("sono_checkpoint_" + std::to_string(::getpid()));
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  fs::path save(int ranks, std::int64_t step, const fs::path& root) {
    run_local_ranks(ranks, [&](Communicator& comm) {
      const Arena arena = make_arena(1);
      save_checkpoint(comm, root, make_state(step), arena);
    });
    return root / checkpoint_name(step);
  }

  fs::path root_;
};

TEST_F(CheckpointTest, HeaderFillsAPageAndNamesAreSorted) {
  const fs::path folder = save(1, 3, root_);
  const std::string bytes = read_file(folder / "model.safetensors");
  const auto header = parse_header(bytes, bytes.size(), "model");
  EXPECT_EQ(header.data_begin % 4096, 0u);
  ASSERT_EQ(header.entries.size(), 3u);
  EXPECT_EQ(header.entries[0].name, "a.bias");
  EXPECT_EQ(header.entries[1].name, "b.weight");
  const Arena arena = make_arena(1);
  EXPECT_EQ(std::memcmp(bytes.data() + header.data_begin,
                        arena.parameters()[1].second.const_data_ptr(), 33 * 4),
            0);
}

TEST_F(CheckpointTest, AnyRanksWriteTheSameAndAnyRead) {
  const fs::path one = save(1, 3, root_ / "1");
  for (const int ranks : {2, 3, 5}) {
    const fs::path many = save(ranks, 3, root_ / std::to_string(ranks));
    for (const auto& entry : fs::directory_iterator(one)) {
      const auto name = entry.path().filename();
      EXPECT_EQ(sha256_file(many / name), sha256_file(one / name)) << name;
    }
    run_local_ranks(6 - ranks, [&](Communicator& comm) {
      Arena arena = make_arena(2);
      load_checkpoint(comm, many, arena);
      const Arena expected = make_arena(1);
      EXPECT_TRUE(at::equal(arena.params.data, expected.params.data));
      EXPECT_TRUE(at::equal(arena.exp_avg.data, expected.exp_avg.data));
      EXPECT_TRUE(at::equal(arena.exp_avg_sq.data, expected.exp_avg_sq.data));
      EXPECT_TRUE(at::equal(arena.ema.data, expected.ema.data));
    });
  }
}

TEST_F(CheckpointTest, EveryKindOfDamageIsNamed) {
  const auto message = [&](const char* file, auto&& damage) {
    const fs::path folder = save(1, 3, root_);
    damage(folder / file);
    try {
      verify_checkpoint(folder);
    } catch (const DataError& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  const auto cut = [](const fs::path& path) {
    fs::resize_file(path, fs::file_size(path) - 9);
  };
  const auto flip = [](const fs::path& path) {
    std::string bytes = read_file(path);
    bytes[bytes.size() - 5] ^= 4;
    write_file_atomic(path, bytes);
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

TEST_F(CheckpointTest, OtherShapesAreNamed) {
  const fs::path folder = save(1, 3, root_);
  NamedTensors parameters = {{"a.bias", at::zeros({34}).requires_grad_()},
                             {"b.weight", at::zeros({2}).requires_grad_()},
                             {"c.scale", at::zeros({2}).requires_grad_()}};
  Arena arena(parameters, {.with_ema = true});
  try {
    load_checkpoint(*make_single_rank(), folder, arena);
    FAIL() << "accepted";
  } catch (const DataError& e) {
    EXPECT_NE(std::string(e.what()).find("tensor a.bias"), std::string::npos);
  }
}

TEST_F(CheckpointTest, FullDiskKeepsTheCheckpointBefore) {
  const fs::path disk = root_ / "disk";
  fs::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=16m") != 0) {
    GTEST_SKIP() << "no right to mount a tmpfs: " << std::strerror(errno);
  }
  const fs::path good = save(2, 3, disk);  // 13 MB
  EXPECT_THROW(save(2, 4, disk), ResourceError);
  EXPECT_EQ(verify_checkpoint(good).step, 3);
  EXPECT_FALSE(fs::exists(disk / checkpoint_name(4)));
  EXPECT_EQ(::umount(disk.c_str()), 0);
}

}  // namespace
}  // namespace sono
