#include "dist/recorder/rank_view.h"

namespace sono {
namespace {

nlohmann::json to_json(const RecordedOperation& operation) {
  return {{"group", operation.group},
          {"name", operation.name},
          {"sequence", operation.sequence},
          {"bytes", operation.bytes},
          {"even_bytes", operation.even_bytes},
          {"step", operation.step},
          {"bucket", operation.bucket},
          {"phase", phase_name(operation.phase)},
          {"done", operation.done},
          {"begun", operation.begun},
          {"ended", operation.ended}};
}

RecordedOperation operation_from(const nlohmann::json& json) {
  RecordedOperation operation;
  json.at("group").get_to(operation.group);
  json.at("name").get_to(operation.name);
  json.at("sequence").get_to(operation.sequence);
  json.at("bytes").get_to(operation.bytes);
  json.at("even_bytes").get_to(operation.even_bytes);
  json.at("step").get_to(operation.step);
  json.at("bucket").get_to(operation.bucket);
  operation.phase = phase_of_name(json.at("phase").get<std::string>());
  json.at("done").get_to(operation.done);
  json.at("begun").get_to(operation.begun);
  json.at("ended").get_to(operation.ended);
  return operation;
}

}  // namespace

const RecordedOperation* RankView::waiting() const {
  const RecordedOperation* newest = nullptr;
  for (const auto& [group, operation] : last) {
    if (operation.done) continue;
    if (newest == nullptr || operation.begun > newest->begun) {
      newest = &operation;
    }
  }
  return newest;
}

nlohmann::json to_json(const RankView& view) {
  nlohmann::json last = nlohmann::json::array();
  for (const auto& [group, operation] : view.last) {
    last.push_back(to_json(operation));
  }
  return {{"rank", view.rank},
          {"world_size", view.world_size},
          {"local_rank", view.local_rank},
          {"pid", view.pid},
          {"host", view.host},
          {"job", view.job},
          {"device", view.device},
          {"build", view.build},
          {"ring", view.ring.string()},
          {"end", static_cast<int>(view.end)},
          {"beat", view.beat},
          {"beat_time", view.beat_time},
          {"step_deadline", view.step_deadline},
          {"awaited", view.awaited},
          {"progress", view.progress},
          {"phase", phase_name(view.phase)},
          {"step", view.step},
          {"phase_since", view.phase_since},
          {"progress_time", view.progress_time},
          {"seen", view.seen},
          {"last", last}};
}

RankView rank_view_from(const nlohmann::json& json) {
  RankView view;
  json.at("rank").get_to(view.rank);
  json.at("world_size").get_to(view.world_size);
  json.at("local_rank").get_to(view.local_rank);
  json.at("pid").get_to(view.pid);
  json.at("host").get_to(view.host);
  json.at("job").get_to(view.job);
  json.at("device").get_to(view.device);
  json.at("build").get_to(view.build);
  view.ring = json.at("ring").get<std::string>();
  view.end = static_cast<RingEnd>(json.at("end").get<int>());
  json.at("beat").get_to(view.beat);
  json.at("beat_time").get_to(view.beat_time);
  json.at("step_deadline").get_to(view.step_deadline);
  json.at("awaited").get_to(view.awaited);
  json.at("progress").get_to(view.progress);
  view.phase = phase_of_name(json.at("phase").get<std::string>());
  json.at("step").get_to(view.step);
  json.at("phase_since").get_to(view.phase_since);
  json.at("progress_time").get_to(view.progress_time);
  json.at("seen").get_to(view.seen);
  for (const auto& item : json.at("last")) {
    const RecordedOperation operation = operation_from(item);
    view.last[operation.group] = operation;
  }
  return view;
}

}  // namespace sono
