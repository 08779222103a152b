#include "data/exports/card.h"

#include <gtest/gtest.h>

namespace sono {
namespace {

CardFacts facts() {
  CardFacts facts;
  facts.train = 1500;
  facts.test = 20;
  facts.masks = 1520;
  facts.synthetic = 1400;
  facts.format = "webdataset";
  facts.version = "0";
  CardSource source;
  source.name = "dataset";
  source.kind = "synthetic pairs";
  source.images = 1400;
  source.made = 1500;
  source.rejected = {{"open outline", 70}, {"", 30}};
  source.hashes = {{"data set", "cafe"}};
  facts.sources = {source};
  return facts;
}

bool has(const std::string& card, const std::string& text) {
  return card.find(text) != std::string::npos;
}

TEST(Card, SaysWhatTheFilesKnow) {
  CardConfig config;
  config.license = "cc-by-4.0";
  config.source = "Two scanners.";
  const std::string card = dataset_card(config, facts());
  EXPECT_TRUE(card.starts_with("---\npretty_name: "));
  for (const char* text :
       {"license: \"cc-by-4.0\"", "- 1K<n<10K", "- synthetic",
        "| train | 1500 |", "1400 of 1500 generated pairs",
        "| open outline | 70 |", "| not said | 30 |", "`cafe`", "Two scanners.",
        "Not for diagnosis"}) {
    EXPECT_TRUE(has(card, text)) << text << "\n" << card;
  }
}

TEST(Card, SaysWhenNoLicenceIsStated) {
  const std::string card = dataset_card({}, facts());
  EXPECT_TRUE(has(card, "license: \"unknown\""));
  EXPECT_TRUE(has(card, "None is stated."));
}

TEST(Card, HoldsWhatQualityMeasured) {
  CardFacts measured = facts();
  measured.quality = {
      {"spaces",
       {{"texture",
         {{"synthetic", {{"kid", 0.5}, {"fid", nullptr}, {"recall", 0.25}}}}}}},
      {"copies", {{"flagged_fraction", 0.125}}}};
  const std::string card = dataset_card({}, measured);
  EXPECT_TRUE(has(card, "| texture | 0.5 |  |  | 0.25 |  |  |")) << card;
  EXPECT_TRUE(has(card, "12.5 %"));
  measured.quality = nlohmann::json::array();
  EXPECT_FALSE(has(dataset_card({}, measured), "Quality"));
}

TEST(Card, HostileTextStaysInItsPlace) {
  CardConfig config;
  config.title = "a\n---\nlicense: mit\n\"|";
  config.license = "x\"\nlicense: mit";
  const std::string card = dataset_card(config, facts());
  EXPECT_FALSE(has(card, "\nlicense: mit"));
  EXPECT_TRUE(has(card, "license: \"x\\\"\\nlicense: mit\""));
}

}  // namespace
}  // namespace sono
