#include "experiments/report/text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sono {
namespace {

std::string base64_of(const std::string& text) {
  return base64(std::vector<std::uint8_t>(text.begin(), text.end()));
}

TEST(Base64, EqualsTheVectorsOfRfc4648) {
  EXPECT_EQ(base64_of(""), "");
  EXPECT_EQ(base64_of("f"), "Zg==");
  EXPECT_EQ(base64_of("fo"), "Zm8=");
  EXPECT_EQ(base64_of("foo"), "Zm9v");
  EXPECT_EQ(base64_of("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64(std::vector<std::uint8_t>{255, 254, 253}), "//79");
}

TEST(Text, RoundsAndNeverShowsMinusZero) {
  EXPECT_EQ(fixed(91.25, 1), "91.2");
  EXPECT_EQ(fixed(-0.04, 1), "0.0");
  EXPECT_EQ(fixed(-0.06, 1), "-0.1");
  EXPECT_EQ(with_sign(0.04, 1), "+0.0");
  EXPECT_EQ(with_sign(-1.25, 2), "-1.25");
}

TEST(Text, CountsInWords) {
  EXPECT_EQ(plural(1, "seed"), "1 seed");
  EXPECT_EQ(plural(0, "seed"), "0 seeds");
}

TEST(Text, EscapesWhatHtmlReserves) {
  EXPECT_EQ(escape_html("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
}

}  // namespace
}  // namespace sono
