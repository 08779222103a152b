#pragma once
// One-page TIFF files as 8-bit grey, by libtiff.

#include <opencv2/core.hpp>
#include <string>
#include <string_view>

namespace sono {

// Does a file that starts so claim to be a TIFF?
bool is_tiff(std::string_view bytes);

// The page as CV_8UC1 [H, W]: colour becomes luma as in a PNG, of 16 bits the
// upper 8 are kept. DataError naming `name` when it is damaged, absurdly large,
// of a kind that libtiff cannot draw, or has several pages.
cv::Mat decode_tiff(std::string_view bytes, const std::string& name);

}  // namespace sono
