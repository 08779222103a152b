#pragma once
// Many small pictures on one page, for people to look at.

#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace sono {

struct ContactTile {
  cv::Mat image;  // CV_8UC1 or CV_8UC3 (RGB) [H, W]
  // CV_8UC1 of the same size, its contour is drawn; or empty.
  cv::Mat mask = {};
  cv::Scalar colour{255, 196, 0};  // of the contour, RGB
  std::string caption = {};        // under the picture; cut to the tile's width
};

// The tiles in rows of `columns`, each picture fitted into `tile` (width,
// height, px) without changing its shape, above one line of caption. CV_8UC3,
// RGB. No tiles give one empty tile that says "none".
cv::Mat contact_sheet(const std::vector<ContactTile>& tiles, int columns,
                      cv::Size tile);

}  // namespace sono
