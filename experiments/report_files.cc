#include "experiments/report_files.h"

#include <algorithm>

#include "core/atomic_file.h"
#include "experiments/report/latex_table.h"
#include "experiments/report/nnunet_summary.h"
#include "experiments/report/tensorboard.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

constexpr char kNnunetFolder[] = "nnunet";

void write_below(const fs::path& path, const std::string& text) {
  make_directories(path.parent_path());
  write_file_atomic(path, text);
}

}  // namespace

void write_report_tables(const ReportData& data, const nlohmann::json& summary,
                         const fs::path& dir) {
  write_file_atomic(dir / "tables.tex", latex_tables(summary));
  write_file_atomic(dir / "provenance.csv", data.provenance);
  fs::remove_all(dir / kNnunetFolder);
  for (const auto& [path, text] : nnunet_summaries(data.evaluated.cases)) {
    write_below(dir / kNnunetFolder / path, text);
  }
}

void write_tensorboard(const fs::path& out, const ReportData& data) {
  const fs::path log = out / "log.jsonl";
  const std::string lines = fs::exists(log) ? read_file(log) : "";
  fs::remove_all(out / "tensorboard");
  for (const auto& [label, events] :
       tensorboard_events(lines, data.evaluated.cases)) {
    write_below(out / "tensorboard" / events_folder(label) / kEventFile,
                encode_events(events));
  }
}

void copy_report(const fs::path& stage, const fs::path& out) {
  fs::remove_all(out / kNnunetFolder);
  for (const auto& item : fs::recursive_directory_iterator(stage)) {
    const fs::path name = item.path().lexically_relative(stage);
    if (!item.is_regular_file() || name == "stage.json" ||
        name.filename().string().front() == '.') {
      continue;
    }
    write_below(out / name, read_file(item.path()));
  }
}

}  // namespace sono
