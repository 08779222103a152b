#pragma once
// Grey images in and out: PNG, JPEG and TIFF files read as 8-bit grey, PNG
// written.
// Every input is treated as hostile: a damaged file is a DataError that names
// it, and no header can make the reader allocate more than its bytes warrant.

#include <cstdint>
#include <filesystem>
#include <opencv2/core.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace sono {

inline constexpr int kMaxImageSidePx = 32768;
inline constexpr std::int64_t kMaxImagePixels = 200'000'000;

// DataError naming `name` when a header's size is absurd, or more than so many
// bytes of file can hold.
void check_image_size(std::int64_t width, std::int64_t height,
                      std::size_t size_bytes, const std::string& name);

// True for the file names (by extension, any case) that `read_image` accepts.
bool is_image_name(const std::filesystem::path& path);

// The image as CV_8UC1 [H, W]. Colour becomes luma (0.299 R + 0.587 G +
// 0.114 B), 16 bits are scaled to 8, fewer than 8 are expanded to 0..255, and
// transparent pixels are laid over black. gAMA and colour profiles are ignored.
// DataError names the file when it is missing, truncated, corrupt, absurdly
// large, or neither PNG nor JPEG nor TIFF (see data/formats/tiff.h).
cv::Mat read_image(const std::filesystem::path& path);

// The same from memory; `name` stands for the file in messages.
cv::Mat decode_image(std::string_view bytes, const std::string& name);

// A CV_8UC1 or CV_8UC3 (RGB order) image as a PNG file without time or text
// chunks: equal pixels give equal bytes under one zlib build.
std::vector<std::uint8_t> encode_png(const cv::Mat& image);

// `encode_png`, then write-temporary, fsync, rename.
void write_png(const std::filesystem::path& path, const cv::Mat& image);

}  // namespace sono
