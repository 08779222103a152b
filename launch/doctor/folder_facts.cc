#include "launch/doctor/folder_facts.h"

namespace sono {

nlohmann::json to_json(const FolderFacts& facts) {
  return {{"error", facts.error},
          {"type", facts.space.type},
          {"total_bytes", facts.space.total_bytes},
          {"free_bytes", facts.space.free_bytes},
          {"free_files", facts.space.free_files},
          {"quota", facts.space.quota},
          {"seen", facts.seen},
          {"clock_ahead", facts.clock_ahead},
          {"created", facts.created},
          {"linked", facts.linked},
          {"locked", facts.locked},
          {"reads", facts.reads},
          {"torn", facts.torn},
          {"missing", facts.missing},
          {"delay", facts.delay},
          {"delayed_by", facts.delayed_by},
          {"write_rate", facts.write_rate},
          {"read_rate", facts.read_rate}};
}

FolderFacts folder_from_json(const nlohmann::json& json) {
  FolderFacts facts;
  json.at("error").get_to(facts.error);
  json.at("type").get_to(facts.space.type);
  json.at("total_bytes").get_to(facts.space.total_bytes);
  json.at("free_bytes").get_to(facts.space.free_bytes);
  json.at("free_files").get_to(facts.space.free_files);
  json.at("quota").get_to(facts.space.quota);
  json.at("seen").get_to(facts.seen);
  json.at("clock_ahead").get_to(facts.clock_ahead);
  json.at("created").get_to(facts.created);
  json.at("linked").get_to(facts.linked);
  json.at("locked").get_to(facts.locked);
  json.at("reads").get_to(facts.reads);
  json.at("torn").get_to(facts.torn);
  json.at("missing").get_to(facts.missing);
  json.at("delay").get_to(facts.delay);
  json.at("delayed_by").get_to(facts.delayed_by);
  json.at("write_rate").get_to(facts.write_rate);
  json.at("read_rate").get_to(facts.read_rate);
  return facts;
}

}  // namespace sono
