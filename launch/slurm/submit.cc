#include "launch/slurm/submit.h"

#include <map>
#include <sstream>

#include "core/atomic_file.h"
#include "core/error.h"
#include "launch/options/ini_file.h"
#include "launch/slurm/slurm_commands.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// The options that `text` gives when it is read back.
std::string read_back(const fs::path& file) {
  Recipe recipe;
  OptionTable options;
  describe(options, recipe);
  try {
    load_ini(file, options);
  } catch (const ConfigError&) {
    // A value was taken apart; it shows in what was read so far.
  }
  return options.ini();
}

// Jobs and workers read the options from files: they must get the same ones.
void check_readable(const fs::path& file, const std::string& text) {
  std::istringstream wanted(text), found(read_back(file));
  std::string section, line, read, key;
  while (std::getline(wanted, line)) {
    const auto equals = line.find(" = ");
    if (equals != std::string::npos) key = section + line.substr(0, equals);
    if (!std::getline(found, read) || read != line) {
      throw ConfigError("option " + key +
                        ": its value cannot stand in a recipe file, where '#' "
                        "begins a comment and a line break ends a value; "
                        "rename what it names, or link to it");
    }
    if (!line.empty() && line[0] == '[') {
      section = line.substr(1, line.size() - 2) + ".";
    }
  }
}

std::string dependency_text(const Job& job,
                            const std::map<std::string, std::string>& ids) {
  std::string succeeded, ended;
  for (const Dependency& dependency : job.dependencies) {
    (dependency.must_succeed ? succeeded : ended) +=
        ":" + ids.at(dependency.job);
  }
  if (!succeeded.empty()) succeeded = "afterok" + succeeded;
  if (!ended.empty()) ended = "afterany" + ended;
  return succeeded + (succeeded.empty() || ended.empty() ? "" : ",") + ended;
}

// What the jobs of an earlier submission have left for their restarts and for
// `status`.
void remove_records(const fs::path& run) {
  for (const auto& entry : fs::directory_iterator(slurm_folder(run))) {
    const auto ending = entry.path().extension();
    if (ending == ".mark" || ending == ".jsonl") fs::remove(entry.path());
  }
}

void cancel(const std::vector<SubmittedJob>& jobs) {
  std::vector<std::string> words = {"scancel"};
  for (const SubmittedJob& job : jobs) words.push_back(job.id);
  if (words.size() > 1) run_process(words);
}

}  // namespace

std::vector<Script> make_scripts(const Recipe& recipe,
                                 const Submission& submission) {
  std::vector<Script> scripts;
  for (const Job& job : make_chain(recipe, submission)) {
    scripts.push_back({job,
                       slurm_folder(submission.run) / (job.name + ".sbatch"),
                       batch_script(job, submission)});
  }
  return scripts;
}

void write_scripts(const OptionTable& recipe, const fs::path& run,
                   const std::vector<Script>& scripts) {
  const fs::path ini = submitted_recipe(run);
  const std::string text = recipe.ini();
  write_file_atomic(ini, text);
  try {
    check_readable(ini, text);
  } catch (...) {
    fs::remove(ini);
    throw;
  }
  write_file_atomic(slurm_folder(run) / "job.sh", kJobText);
  for (const Script& script : scripts) {
    write_file_atomic(script.file, script.text);
  }
}

void refuse_running(const fs::path& run) {
  std::vector<std::string> ids;
  for (const SubmittedJob& job : read_submission(run)) ids.push_back(job.id);
  std::string found;
  for (const QueuedJob& job : queued_jobs(ids)) {
    found += " " + job.id + " (" + job.state + ")";
  }
  if (found.empty()) return;
  throw ConfigError(run.string() +
                    ": jobs of an earlier submission are in the "
                    "queue:" +
                    found +
                    "; they do the same work. Let them end, or scancel them");
}

std::vector<SubmittedJob> submit_scripts(const fs::path& run,
                                         const std::vector<Script>& scripts) {
  remove_records(run);
  std::vector<SubmittedJob> submitted;
  std::map<std::string, std::string> ids;
  for (const Script& script : scripts) {
    try {
      const std::string id =
          submit_script(script.file.string(), dependency_text(script.job, ids));
      ids[script.job.name] = id;
      submitted.push_back({script.job.name, id, script.job.workers});
      write_submission(run, submitted);
    } catch (...) {
      cancel(submitted);
      throw;
    }
  }
  return submitted;
}

}  // namespace sono
