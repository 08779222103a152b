#include "data/contact_sheet.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "core/check.h"

namespace sono {
namespace {

constexpr int kCaptionHeightPx = 16;
constexpr int kGapPx = 4;
constexpr double kFontScale = 0.35;
constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
const cv::Scalar kBackground(24, 24, 24);
const cv::Scalar kInk(220, 220, 220);

cv::Mat in_colour(const cv::Mat& image) {
  if (image.type() == CV_8UC3) return image.clone();
  SONO_CHECK_EQ(image.type(), CV_8UC1);
  cv::Mat colour;
  cv::cvtColor(image, colour, cv::COLOR_GRAY2RGB);
  return colour;
}

// The picture at the tile's scale, with the contour drawn one pixel wide.
cv::Mat scaled_picture(const ContactTile& tile, cv::Size limit) {
  const double scale =
      std::min(static_cast<double>(limit.width) / tile.image.cols,
               static_cast<double>(limit.height) / tile.image.rows);
  const cv::Size size(std::max(1, static_cast<int>(tile.image.cols * scale)),
                      std::max(1, static_cast<int>(tile.image.rows * scale)));
  cv::Mat picture;
  cv::resize(in_colour(tile.image), picture, size, 0, 0,
             scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
  if (tile.mask.empty()) return picture;
  SONO_CHECK(tile.mask.size() == tile.image.size(),
             "mask and image of a tile differ in size");
  cv::Mat mask;
  cv::resize(tile.mask, mask, size, 0, 0, cv::INTER_LINEAR);
  std::vector<std::vector<cv::Point>> contours;
  cv::findContours(mask > 127, contours, cv::RETR_EXTERNAL,
                   cv::CHAIN_APPROX_NONE);
  cv::drawContours(picture, contours, -1, tile.colour, 1, cv::LINE_AA);
  return picture;
}

// The longest beginning of the text that fits.
std::string fitted(std::string text, int width_px) {
  int baseline = 0;
  while (!text.empty() &&
         cv::getTextSize(text, kFont, kFontScale, 1, &baseline).width >
             width_px) {
    text.pop_back();
  }
  return text;
}

void draw_caption(cv::Mat& cell, const std::string& text) {
  cv::putText(cell, fitted(text, cell.cols - 4),
              {2, cell.rows - kCaptionHeightPx / 3}, kFont, kFontScale, kInk, 1,
              cv::LINE_AA);
}

}  // namespace

cv::Mat contact_sheet(const std::vector<ContactTile>& tiles, int columns,
                      cv::Size tile) {
  SONO_CHECK(
      columns >= 1 && tile.width >= 8 && tile.height >= 8,
      "columns " << columns << ", tile " << tile.width << "x" << tile.height);
  const int count = std::max<int>(1, static_cast<int>(tiles.size()));
  columns = std::min(columns, count);
  const int rows = (count + columns - 1) / columns;
  const int step_x = tile.width + kGapPx;
  const int step_y = tile.height + kCaptionHeightPx + kGapPx;
  cv::Mat sheet(rows * step_y + kGapPx, columns * step_x + kGapPx, CV_8UC3,
                kBackground);
  for (int k = 0; k < count; ++k) {
    cv::Mat cell =
        sheet({kGapPx + k % columns * step_x, kGapPx + k / columns * step_y,
               tile.width, tile.height + kCaptionHeightPx});
    if (tiles.empty()) {
      draw_caption(cell, "none");
      break;
    }
    const ContactTile& content = tiles[static_cast<std::size_t>(k)];
    const cv::Mat picture = scaled_picture(content, tile);
    picture.copyTo(
        cell({(tile.width - picture.cols) / 2, (tile.height - picture.rows) / 2,
              picture.cols, picture.rows}));
    draw_caption(cell, content.caption);
  }
  return sheet;
}

}  // namespace sono
