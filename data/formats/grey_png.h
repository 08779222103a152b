#pragma once
// PNG files of 8-bit grey images, several times as fast as libpng, by
// libdeflate. Used for shards; files that others look at go through libpng.

#include <cstdint>
#include <opencv2/core.hpp>
#include <optional>
#include <string_view>
#include <vector>

namespace sono {

// A CV_8UC1 image as a PNG file. Flat ones, as masks are, by zlib's run
// lengths, which makes them smallest. Others by libdeflate: a row is filtered
// by whichever of none, sub and up leaves the smallest sum of absolute
// differences; Paeth and average would save 3 % of the bytes and cost half as
// much time again. Equal pixels give equal bytes under one build of the
// libraries.
std::vector<std::uint8_t> encode_grey_png(const cv::Mat& image);

// The pixels of a whole PNG file of 8-bit grey, not interlaced and without
// transparency, as CV_8UC1; none for any other bytes, which are libpng's to
// read or to refuse. Checks the checksums of header and pixels.
std::optional<cv::Mat> decode_grey_png(std::string_view bytes);

}  // namespace sono
