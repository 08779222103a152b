#include "data/exports/card.h"

#include <algorithm>

#include "data/csv.h"

namespace sono {
namespace {

using nlohmann::json;

// On one line, and not to be taken for markup of a table.
std::string plain(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '|') c = ' ';
  }
  return text;
}

std::string or_else(const std::string& text, const std::string& otherwise) {
  return text.empty() ? otherwise : plain(text);
}

// YAML's double-quoted strings are JSON's.
std::string quoted(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string size_category(std::int64_t images) {
  const std::pair<std::int64_t, const char*> limits[] = {
      {1000, "n<1K"},         {10000, "1K<n<10K"},
      {100000, "10K<n<100K"}, {1000000, "100K<n<1M"},
      {10000000, "1M<n<10M"}, {100000000, "10M<n<100M"}};
  for (const auto& [limit, name] : limits) {
    if (images < limit) return name;
  }
  return "100M<n<1B";
}

std::string title_of(const CardConfig& config) {
  return or_else(config.title, "Fetal head ultrasound with masks");
}

std::string front_matter(const CardConfig& config, const CardFacts& facts) {
  std::string text = "---\npretty_name: " + quoted(title_of(config)) + "\n";
  text += "license: " +
          quoted(config.license.empty() ? "unknown" : config.license) + "\n";
  if (!config.license_link.empty()) {
    text += "license_link: " + quoted(config.license_link) + "\n";
  }
  text +=
      "size_categories:\n- " + size_category(facts.train + facts.test) + "\n";
  if (facts.masks > 0) text += "task_categories:\n- image-segmentation\n";
  text += "tags:\n- medical\n- ultrasound\n";
  if (facts.synthetic > 0) text += "- synthetic\n";
  return text + "---\n\n";
}

std::string row(const std::vector<std::string>& cells) {
  std::string text = "|";
  for (const auto& cell : cells) text += " " + plain(cell) + " |";
  return text + "\n";
}

std::string counts(const CardFacts& facts) {
  return "## Contents\n\n" + row({"", "images"}) + "|---|---|\n" +
         row({"train", std::to_string(facts.train)}) +
         row({"test", std::to_string(facts.test)}) +
         row({"with a mask", std::to_string(facts.masks)}) +
         row({"synthetic", std::to_string(facts.synthetic)}) +
         "\nFormat: " + facts.format +
         ". Grey, 8 bits; masks are 0 and 255.\n\n";
}

std::string rejections(const CardSource& source) {
  if (source.made == 0) return "";
  std::string text = std::to_string(source.images) + " of " +
                     std::to_string(source.made) +
                     " generated pairs passed the quality gate";
  if (source.rejected.empty()) return text + ".\n\n";
  text += "; the others are left out:\n\n" + row({"reason", "pairs"}) +
          "|---|---|\n";
  for (const auto& [kind, number] : source.rejected) {
    text += row({or_else(kind, "not said"), std::to_string(number)});
  }
  return text + "\n";
}

std::string sources(const CardConfig& config, const CardFacts& facts) {
  std::string text = "## Source\n\n";
  if (!config.source.empty()) text += plain(config.source) + "\n\n";
  for (const CardSource& source : facts.sources) {
    text += "**" + plain(source.name) + "**: " + plain(source.kind) + ", " +
            std::to_string(source.images) + " images.\n\n";
    text += rejections(source);
  }
  return text;
}

// One row a feature space: the distances of the synthetic images from the real
// ones.
std::string quality(const json& measured) {
  if (!measured.is_object() || !measured.contains("spaces")) return "";
  const std::vector<std::string> names = {"kid",    "fid",     "precision",
                                          "recall", "density", "coverage"};
  std::vector<std::string> head = {"features"};
  head.insert(head.end(), names.begin(), names.end());
  std::string text = "## Quality, against held-out real images\n\n" +
                     row(head) + "|---|---|---|---|---|---|---|\n";
  for (const auto& [space, comparison] : measured["spaces"].items()) {
    std::vector<std::string> cells = {space};
    const json values = comparison.value("synthetic", json::object());
    for (const auto& name : names) {
      const auto value = values.find(name);
      cells.push_back(value != values.end() && value->is_number()
                          ? format_double(value->get<double>())
                          : "");
    }
    text += row(cells);
  }
  const auto copies = measured.find("copies");
  if (copies != measured.end() && copies->is_object() &&
      copies->contains("flagged_fraction") &&
      (*copies)["flagged_fraction"].is_number()) {
    text += "\nFlagged as copies of training images: " +
            format_double(100 * (*copies)["flagged_fraction"].get<double>()) +
            " %.\n";
  }
  return text + "\n";
}

std::string provenance(const CardFacts& facts) {
  std::string text = "## Provenance\n\n" + row({"source", "what", "value"}) +
                     "|---|---|---|\n";
  for (const CardSource& source : facts.sources) {
    for (const auto& [what, value] : source.hashes) {
      text += row({source.name, what, "`" + value + "`"});
    }
  }
  return text + "\nWritten by sonoforge " + facts.version +
         ". Hashes are SHA-256. Each synthetic image carries the seed, the "
         "generator's hash and\nthe sampler that make it again.\n\n";
}

std::string intended_use(const CardConfig& config, const CardFacts& facts) {
  std::string text = "## Intended use\n\n";
  text += or_else(config.intended_use,
                  "Research on the segmentation and measurement of fetal heads "
                  "in ultrasound.") +
          "\n\n";
  text +=
      "Not for diagnosis, and not evidence that a method is safe for "
      "patients.";
  if (facts.synthetic > 0) {
    text +=
        " Synthetic images show what\ntheir generator learnt from few real "
        "ones: test on real images alone.";
  }
  return text + "\n";
}

}  // namespace

void describe(OptionTable& table, CardConfig& config) {
  const auto add = [&](const char* name, std::string* field, const char* help) {
    table.add(std::string("card.") + name, field, OptionKind::kPlace, help);
  };
  add("title", &config.title, "what the data set is called");
  add("license", &config.license,
      "identifier of its licence, such as cc-by-4.0; empty: the card says "
      "that none is stated");
  add("license_link", &config.license_link, "where the licence's text stands");
  add("creator", &config.creator, "who made it");
  add("source", &config.source,
      "where the images come from: scanners, sites, consent, published sets");
  add("intended_use", &config.intended_use, "what it is meant for");
  add("citation", &config.citation, "how to cite it");
}

std::string dataset_card(const CardConfig& config, const CardFacts& facts) {
  std::string text =
      front_matter(config, facts) + "# " + title_of(config) + "\n\n";
  if (!config.creator.empty()) text += "By " + plain(config.creator) + ".\n\n";
  text += counts(facts) + sources(config, facts);
  text +=
      "## Licence\n\n" +
      or_else(config.license,
              "None is stated. Ask whoever made this data set before you "
              "use it or pass it on; the sources' own\nlicences hold for "
              "their images.") +
      (config.license_link.empty() ? "" : "\n" + plain(config.license_link)) +
      "\n\n";
  text += quality(facts.quality) + provenance(facts);
  if (!config.citation.empty()) {
    text += "## Citation\n\n" + plain(config.citation) + "\n\n";
  }
  return text + intended_use(config, facts);
}

}  // namespace sono
