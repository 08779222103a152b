#include <opencv2/imgproc.hpp>
#include <set>

#include "data/cohort_audit.h"
#include "tests/data/cohort/fixture.h"

namespace sono {
namespace {

using AuditTest = FolderTest;

std::set<std::string> files_with(const nlohmann::json& audit,
                                 const std::string& kind) {
  std::set<std::string> files;
  for (const auto& problem : audit.at("problems")) {
    if (problem.at("kind") != kind) continue;
    for (const auto& file : problem.at("files")) files.insert(file);
  }
  return files;
}

TEST_F(AuditTest, ListsEveryTroubleByFile) {
  const cv::Mat head = render_filled(test_head(), test_size());
  for (const std::string id : {"a", "b", "c", "d", "e", "f"}) {
    write_picture(dir_ / "image" / (id + ".png"), test_picture(id[0]));
    write_picture(dir_ / "mask" / (id + ".png"), head);
  }
  write_picture(dir_ / "image" / "b.png", test_picture('a'));
  write_picture(dir_ / "mask" / "c.png", cv::Mat::zeros(test_size(), CV_8UC1));
  write_picture(dir_ / "mask" / "d.png",
                render_filled(test_head(), {300, 210}));
  write_text(dir_ / "image" / "e.png", "not a picture");
  cv::Mat open = cv::Mat::zeros(test_size(), CV_8UC1);
  cv::ellipse(open, {150, 100}, {90, 65}, 0, 20, 360, cv::Scalar(255), 2);
  write_picture(dir_ / "mask" / "f.png", open);

  const auto audit = audit_cohort(open_cohort("mixed", dir_));
  using Files = std::set<std::string>;
  EXPECT_EQ(files_with(audit, "duplicate_file"), (Files{"a.png", "b.png"}));
  EXPECT_EQ(files_with(audit, "empty_mask"), Files{"c.png"});
  EXPECT_EQ(files_with(audit, "mask_size"), Files{"d.png"});
  EXPECT_EQ(files_with(audit, "unreadable"), Files{"e.png"});
  EXPECT_EQ(files_with(audit, "open_outline"), Files{"f.png"});
  EXPECT_EQ(audit.at("problems").size(), 5u);
  EXPECT_EQ(audit.at("sizes").at("300x200"), 5);
  EXPECT_TRUE(audit.at("spacing_mm").is_null());
  const std::string text = audit_text(audit);
  EXPECT_SAYS(text, "6 images, 6 masks");
  EXPECT_SAYS(text, "open_outline: f.png");
}

TEST_F(AuditTest, FindsEqualPixelsInUnequalFiles) {
  cv::Mat grey = test_picture(1);
  cv::Mat rgb;
  cv::cvtColor(grey, rgb, cv::COLOR_GRAY2RGB);
  write_picture(dir_ / "a.png", grey);
  write_picture(dir_ / "b.png", rgb);
  const auto audit = audit_cohort(open_cohort("two", dir_));
  EXPECT_EQ(files_with(audit, "duplicate_pixels"),
            (std::set<std::string>{"a.png", "b.png"}));
}

}  // namespace
}  // namespace sono
