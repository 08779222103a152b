#include "data/phantom/anatomy.h"

#include <gtest/gtest.h>

namespace sono {
namespace {

// Another published curve gives the age from the size: Hadlock et al. 1984.
double hadlock_weeks(double hc_mm) {
  const double cm = hc_mm / 10;
  return 8.96 + 0.540 * cm + 0.0003 * cm * cm * cm;
}

TEST(Anatomy, GrowthCurveAgreesWithAnotherPublishedOne) {
  for (double age = 13; age <= 38; ++age) {
    EXPECT_NEAR(hadlock_weeks(mean_head_circumference_mm(age)), age, 1) << age;
  }
  for (double age = 11; age < 40; age += 0.5) {
    EXPECT_LT(mean_head_circumference_mm(age),
              mean_head_circumference_mm(age + 0.5));
    EXPECT_GT(sd_head_circumference_mm(age), 2) << age;
    EXPECT_LT(sd_head_circumference_mm(age), 18) << age;
  }
}

TEST(Anatomy, CavumOnlyWhereTheAgeHasOne) {
  int with = 0, without = 0;
  for (std::uint64_t exam = 0; exam < 400; ++exam) {
    const HeadAnatomy head = draw_anatomy(3, exam, AgeMix{});
    const bool possible = head.age_weeks >= 17.5 && head.age_weeks < 37.5;
    EXPECT_EQ(head.has_cavum, possible) << head.age_weeks;
    ++(head.has_cavum ? with : without);
  }
  EXPECT_GT(with, 100);
  EXPECT_GT(without, 40);
}

TEST(Anatomy, TrimestersFollowTheMix) {
  int count[4] = {};
  for (std::uint64_t exam = 0; exam < 1000; ++exam) {
    const HeadAnatomy head = draw_anatomy(1, exam, AgeMix{});
    EXPECT_EQ(head.trimester, trimester_of(head.age_weeks));
    ++count[head.trimester];
  }
  EXPECT_NEAR(count[1], 170, 45);
  EXPECT_NEAR(count[2], 690, 60);
  EXPECT_NEAR(count[3], 140, 45);
}

}  // namespace
}  // namespace sono
