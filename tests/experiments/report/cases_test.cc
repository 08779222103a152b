#include "experiments/report/cases.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "core/error.h"
#include "core/random.h"
#include "data/csv.h"

namespace sono {
namespace {

constexpr char kHeader[] =
    "run_id,config_hash,recipe,arm,train_cohort,n_real,n_synthetic,subset_seed,"
    "generator_seed,train_seed,generator_hash,checkpoint_hash,updates,train_"
    "prompt,"
    "prompt,draw,jitter_px,x0,y0,x1,y1,cohort,exam,patient,stratum,image,"
    "spacing_x,"
    "spacing_y,dice,iou,hd_px,hd95_px,assd_px,nsd_px,hd_mm,hd95_mm,assd_mm,"
    "nsd_mm,hc_px,hc_mm,hc_reference_mm,hc_error_pct,hc_floor_pct,bpd_px,"
    "bpd_mm,bpd_reference_mm,ofd_px,ofd_mm,ofd_reference_mm,status\n";

Case example(int image, int draw) {
  Case row;
  row.arm = "concat";
  row.n_real = 5;
  row.cohort = "hc18";
  row.prompt = "gt-box";
  row.image = "image " + std::to_string(image);
  row.draw = draw;
  row.dice = 1.0 / (3 + image);
  row.status = "ok";
  return row;
}

TEST(Cases, HaveTheColumnsOfTheDesign) { EXPECT_EQ(format_cases({}), kHeader); }

TEST(Cases, RoundTripEveryField) {
  Case row = example(1, 2);
  row.run_id = "a \"quoted\", name\nof two lines";
  row.dice = 0.1;
  row.x0 = -1.5e-300;
  row.updates = -9'000'000'000'000;
  const auto read = parse_cases(format_cases({{row}}), "cases.csv");
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0], row);
  EXPECT_EQ(read[0].hd95_mm, std::nullopt);
}

TEST(Cases, AreWrittenTheSameInAnyOrderOfArrival) {
  std::vector<Case> rows;
  for (int i = 0; i < 5000; ++i) rows.push_back(example(i / 5, i % 5));
  const std::string expected = format_cases(rows);
  std::vector<Case> shuffled;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    shuffled.push_back(
        rows[permuted_index(i, rows.size(), make_key("test", 1))]);
  }
  EXPECT_EQ(format_cases(shuffled), expected);
  EXPECT_EQ(parse_cases(expected, "cases.csv").size(), rows.size());
}

TEST(Cases, SortNumbersAsNumbers) {
  Case five = example(1, 0), twenty = example(1, 0);
  twenty.n_real = 20;
  const auto read = parse_cases(format_cases({{twenty, five}}), "cases.csv");
  EXPECT_EQ(read[0].n_real, 5);
}

TEST(Cases, OfOneResultGivenTwiceAreWrittenOnce) {
  const Case row = example(1, 2);
  EXPECT_EQ(format_cases({{row, row}}), format_cases({{row}}));
}

TEST(Cases, WithTwoResultsForOneImageAreRefused) {
  Case other = example(1, 2);
  other.dice = 0.5;
  EXPECT_THROW(format_cases({{example(1, 2), other}}), DataError);
}

std::string message_of(const std::string& text) {
  try {
    parse_cases(text, "run/cases.csv");
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

TEST(Cases, NameTheFileAndRowThatCannotBeRead) {
  const std::string good = format_cases({{example(1, 2)}});
  EXPECT_NE(message_of("arm,dice\n").find("run/cases.csv: row 1"),
            std::string::npos);
  EXPECT_NE(message_of(good + "a,b\n").find("row 3: 2 fields"),
            std::string::npos);
  std::string bad = good;
  bad.replace(bad.find("0.25"), 4, "0.2x");
  EXPECT_NE(message_of(bad).find("row 2: '0.2x' is not a number"),
            std::string::npos);
  EXPECT_NE(message_of(good + "\"open").find("row 3"), std::string::npos);
}

TEST(Cases, GoThroughAFile) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("cases_test_" + std::to_string(::getpid()) + ".csv");
  write_cases(path, {{example(1, 2), example(0, 1)}});
  EXPECT_EQ(read_cases(path)[0], example(0, 1));
  std::filesystem::remove(path);
  EXPECT_THROW(read_cases(path), DataError);
}

TEST(Csv, ReadsBothLineEndsAndEmptyFields) {
  const auto rows = parse_csv("a,,\"b\"\r\n\"x\ny\",\"\"\"\",z", "t");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(rows[1], (std::vector<std::string>{"x\ny", "\"", "z"}));
}

TEST(Csv, RefusesStrayQuotes) {
  EXPECT_THROW(parse_csv("a\"b,c\n", "t"), DataError);
  EXPECT_THROW(parse_csv("\"a\"b,c\n", "t"), DataError);
}

TEST(Csv, WritesTheShortestNumbersThatReadBack) {
  EXPECT_EQ(format_double(0.1), "0.1");
  EXPECT_EQ(format_double(1.0 / 3), "0.3333333333333333");
  EXPECT_EQ(format_double(95), "95");
}

}  // namespace
}  // namespace sono
