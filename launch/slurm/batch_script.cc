#include "launch/slurm/batch_script.h"

#include "experiments/arms.h"
#include "launch/slurm/shell_quote.h"

namespace sono {
namespace {

// The #SBATCH lines of one script.
class Header {
 public:
  void add(const std::string& option) { text_ += "#SBATCH --" + option + "\n"; }
  void add(const std::string& option, int value) {
    add(option + "=" + std::to_string(value));
  }
  // `name` is what the user knows the value by. Nothing where it is empty.
  void add(const std::string& option, const std::string& name,
           const std::string& value) {
    if (!value.empty()) add(option + "=" + sbatch_value(name, value));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Letters, digits and dots of the run's folder.
std::string job_label(const std::filesystem::path& run) {
  std::string label;
  for (const char c : run.filename().string()) {
    const bool fits =
        std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_';
    label += fits ? c : '-';
  }
  return label;
}

void add_size(const Job& job, const SiteConfig& site, Header& header) {
  if (job.workers > 0) {
    header.add("array=0-" + std::to_string(job.workers - 1));
    header.add("ntasks", 1);
    if (site.gpus_per_node > 0) header.add("gpus", 1);
  } else {
    header.add("nodes", job.nodes);
    header.add("ntasks-per-node", site.ranks());
    if (site.gpus_per_node > 0) {
      header.add("gpus-per-node", site.gpus_per_node);
    }
  }
  header.add("cpus-per-task", site.cpus_per_rank);
  header.add("mem-per-cpu", "option site.memory_per_cpu", site.memory_per_cpu);
}

std::string sbatch_lines(const Job& job, const Submission& submission) {
  const SiteConfig& site = submission.site;
  Header header;
  header.add("job-name=" + job_label(submission.run) + "." + job.name);
  add_size(job, site, header);
  header.add("time", "option site.time or --time", site.time);
  header.add("partition", "option site.partition", site.partition);
  header.add("account", "option site.account", site.account);
  header.add("qos", "option site.qos", site.qos);
  const auto log = slurm_folder(submission.run) / job.name;
  header.add("output=" + sbatch_file("--out", log.string(),
                                     job.workers > 0 ? "-%a.log" : ".log"));
  header.add("open-mode=append");
  header.add("requeue");
  header.add("signal=B:USR1@" + std::to_string(site.margin_seconds));
  for (const auto& [name, value] : site.sbatch) {
    if (value.empty()) {
      header.add(name);
    } else {
      header.add(name, "option sbatch." + name, value);
    }
  }
  return header.text();
}

// What the site wants before the program starts.
std::string site_lines(const SiteConfig& site) {
  std::string text;
  for (const auto& [name, value] : site.environment) {
    text += "export " + name + "=" +
            shell_word("option environment." + name, value) + "\n";
  }
  for (const std::string& module : site.modules) {
    text += "module load " + shell_word("option site.modules", module) +
            " || exit 2\n";
  }
  if (!site.setup.empty()) {
    text += ". " + shell_word("option site.setup", site.setup) + " || exit 2\n";
  }
  return text;
}

// "name=word", for the lines that job.sh reads.
std::string set(const std::string& name, const std::string& value) {
  return name + "=" + shell_word(name, value) + "\n";
}

std::string set(const std::string& name,
                const std::vector<std::string>& words) {
  return name + "=" + shell_array(name, words) + "\n";
}

std::vector<std::string> program_words(const Submission& submission) {
  std::vector<std::string> words = submission.site.container_words();
  words.push_back(submission.site.program.empty() ? submission.program.string()
                                                  : submission.site.program);
  return words;
}

}  // namespace

std::filesystem::path slurm_folder(const std::filesystem::path& run) {
  return run / "slurm";
}

std::filesystem::path submitted_recipe(const std::filesystem::path& run) {
  return slurm_folder(run) / "recipe.ini";
}

std::vector<Job> make_chain(const Recipe& recipe,
                            const Submission& submission) {
  const std::string run = submission.run.string();
  const std::string ini = submitted_recipe(submission.run).string();
  const int ranks = submission.nodes * submission.site.ranks();
  const int workers = submission.workers > 0 ? submission.workers : ranks;
  std::vector<Job> jobs;
  const auto add = [&](const std::string& name, const std::string& title,
                       int job_workers, std::vector<std::string> arguments) {
    Job job;
    job.name = std::to_string(jobs.size() + 1) + "-" + name;
    job.title = title;
    job.nodes = submission.nodes;
    job.workers = job_workers;
    job.arguments = std::move(arguments);
    // What a lost worker left undone is done by the step behind it.
    for (const Job& before : jobs) {
      job.dependencies.push_back({before.name, before.workers == 0});
    }
    jobs.push_back(std::move(job));
  };
  const auto until = [&](const std::string& stage) {
    return std::vector<std::string>{"run", ini, "--out", run, "--until", stage};
  };
  const bool generates = recipe.experiment.task == "generate";
  if (generates || uses_diffusion(recipe.experiment)) {
    add("generators", "trains what makes the images", 0, until("generators"));
    add("datasets", "makes the images", workers, {"generate", run});
  }
  if (!generates) {
    add("tuning", "tunes the segmenters", 0, until("tuning"));
    add("evaluation", "scores them", workers, {"evaluate", run});
  }
  add("report", "finishes what is missing and writes the report", 0,
      {"run", ini, "--out", run});
  jobs.back().nodes = 1;
  return jobs;
}

std::string batch_script(const Job& job, const Submission& submission) {
  const SiteConfig& site = submission.site;
  const std::string folder = slurm_folder(submission.run).string();
  std::string text = "#!/bin/bash\n" + sbatch_lines(job, submission) + "\n";
  text += "# " + job.title + "; written by `sonoforge submit`\n";
  text += set("run", submission.run.string());
  text += set("job", job.name);
  text += set("max_restarts", std::to_string(site.max_restarts));
  text += set("idle_restarts", std::to_string(site.idle_restarts));
  text += set("launcher", job.workers > 0 ? std::vector<std::string>()
                                          : submission.launcher);
  text += set("program", program_words(submission));
  text += set("arguments", job.arguments);
  text += "cd -- " +
          shell_word("the working folder", submission.submitted.string()) +
          " || exit 2\n";
  text += site_lines(site);
  text += ". " + shell_word("--out", folder + "/job.sh") + "\n";
  return text;
}

}  // namespace sono
