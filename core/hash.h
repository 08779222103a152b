#pragma once
// SHA-256 of bytes and files; CRC-32 for block checksums.

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sono {

using Sha256Digest = std::array<std::uint8_t, 32>;

Sha256Digest sha256(std::string_view bytes);
// Lower-case hexadecimal, 64 characters.
std::string sha256_hex(std::string_view bytes);
// Throws DataError when the file cannot be read.
std::string sha256_file(const std::filesystem::path& path);
std::string to_hex(const Sha256Digest& digest);
// None when it is not 64 hexadecimal digits in lower case.
std::optional<Sha256Digest> digest_from_hex(std::string_view text);

// A hash fed in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(std::string_view bytes);
  void update(const void* data, std::size_t size_bytes);
  // Either ends the hash; call once.
  Sha256Digest digest();
  std::string hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// CRC-32 (IEEE 802.3) of the bytes.
std::uint32_t crc32(const void* data, std::size_t size_bytes,
                    std::uint32_t seed = 0);

}  // namespace sono
