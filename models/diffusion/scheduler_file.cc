#include "models/diffusion/scheduler_file.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/atomic_file.h"
#include "core/error.h"

namespace sono {
namespace {

using Json = nlohmann::json;

const std::map<std::string, std::string>& kinds() {
  static const std::map<std::string, std::string> known = {
      {"DDPMScheduler", "ddpm"},
      {"DDIMScheduler", "ddim"},
      {"UniPCMultistepScheduler", "unipc"},
      {"DPMSolverMultistepScheduler", "dpmpp_2m"},
      {"EulerAncestralDiscreteScheduler", "euler_ancestral"}};
  return known;
}

// Fields that change nothing as long as the switches below are off, or that
// belong to another sampler than the one that is asked for.
const std::set<std::string>& idle_fields() {
  static const std::set<std::string> names = {"dynamic_thresholding_ratio",
                                              "sample_max_value",
                                              "flow_shift",
                                              "time_shift_type",
                                              "skip_prk_steps",
                                              "interpolation_type",
                                              "sigma_data",
                                              "clip_sample_range"};
  return names;
}

// Fields that are offered with one value only, beside null.
const std::map<std::string, Json>& fixed_fields() {
  static const std::map<std::string, Json> fields = {
      {"trained_betas", nullptr},
      {"thresholding", false},
      {"algorithm_type", "dpmsolver++"},
      {"predict_x0", true},
      {"disable_corrector", Json::array()},
      {"solver_p", nullptr},
      {"use_exponential_sigmas", false},
      {"use_beta_sigmas", false},
      {"use_lu_lambdas", false},
      {"use_flow_sigmas", false},
      {"use_dynamic_shifting", false},
      {"euler_at_final", false},
      {"lambda_min_clipped", nullptr},
      {"sigma_min", nullptr},
      {"sigma_max", nullptr},
      {"shift_terminal", nullptr}};
  return fields;
}

// Reads fields once each and knows which were asked for.
class Fields {
 public:
  Fields(std::string file, Json json)
      : file_(std::move(file)), json_(std::move(json)) {}

  [[noreturn]] void refuse(const std::string& name,
                           const std::string& why) const {
    throw DataError(file_ + ": " + name + why);
  }
  bool has(const std::string& name) const {
    return json_.contains(name) && !json_.at(name).is_null();
  }
  template <class T>
  T get(const std::string& name, T otherwise) {
    known_.insert(name);
    if (!has(name)) return otherwise;
    try {
      return json_.at(name).get<T>();
    } catch (const Json::exception&) {
      refuse(name, " = " + json_.at(name).dump() + " has the wrong type");
    }
  }
  void check_fixed() {
    for (const auto& [name, value] : fixed_fields()) {
      known_.insert(name);
      if (has(name) && json_.at(name) != value) {
        refuse(name, " = " + json_.at(name).dump() + " is not offered; only " +
                         value.dump() + " is");
      }
    }
  }
  void check_all_known() const {
    for (const auto& [name, value] : json_.items()) {
      if (name.rfind('_', 0) != 0 && !known_.count(name) &&
          !idle_fields().count(name)) {
        refuse(name, " is not a field of a scheduler that is known here");
      }
    }
  }

 private:
  std::string file_;
  Json json_;
  std::set<std::string> known_;
};

// Python writes infinities that JSON has no word for.
Json parse(const std::filesystem::path& path) {
  std::string text = read_file(path);
  const std::string infinity = "-Infinity";
  for (auto at = text.find(infinity); at != std::string::npos;
       at = text.find(infinity, at)) {
    text.replace(at, infinity.size(), "null");
  }
  try {
    const Json json = Json::parse(text);
    if (json.is_object()) return json;
  } catch (const Json::exception&) {
  }
  throw DataError(path.string() +
                  ": not a JSON object; give the scheduler_config.json of a "
                  "diffusers model");
}

std::string kind_of(Fields& fields, const std::string& sampler_kind) {
  const std::string name = fields.get<std::string>("_class_name", "");
  if (!sampler_kind.empty()) return sampler_kind;
  const auto found = kinds().find(name);
  if (found == kinds().end()) {
    fields.refuse("_class_name",
                  " = \"" + name +
                      "\" is not offered; choose a sampler yourself (ddpm, "
                      "ddim, unipc, dpmpp_2m or euler_ancestral)");
  }
  return found->second;
}

NoiseScheduleConfig read_noise(Fields& fields) {
  NoiseScheduleConfig noise;
  noise.beta_schedule = fields.get<std::string>("beta_schedule", "linear");
  noise.beta_start = fields.get("beta_start", 0.0001);
  noise.beta_end = fields.get("beta_end", 0.02);
  noise.num_train_timesteps =
      fields.get<std::int64_t>("num_train_timesteps", 1000);
  noise.zero_terminal_snr = fields.get("rescale_betas_zero_snr", false);
  return noise;
}

void read_solver(Fields& fields, SamplerConfig& sampler) {
  sampler.solver_order = fields.get("solver_order", 2);
  const auto solver = fields.get<std::string>("solver_type", "");
  const bool unipc = sampler.kind == "unipc";
  // Each takes the other's names for its own default.
  const bool own = unipc ? solver == "bh1" || solver == "bh2"
                         : solver == "midpoint" || solver == "heun";
  const bool dpm = sampler.kind == "dpmpp_2m";
  if (own && (unipc || dpm)) sampler.solver = solver;
  sampler.karras_sigmas =
      fields.get("use_karras_sigmas", false) && (unipc || dpm);
  sampler.final_sigma = fields.get<std::string>("final_sigmas_type", "zero");
  sampler.lower_order_final = fields.get("lower_order_final", true);
  if (unipc && !sampler.lower_order_final) {
    fields.refuse("lower_order_final", " = false is not offered with UniPC");
  }
}

std::string read_variance(Fields& fields, const std::string& kind) {
  const auto type = fields.get<std::string>("variance_type", "fixed_small");
  if (kind != "ddpm" || type == "fixed_small_log") return "fixed_small";
  if (type != "fixed_small" && type != "fixed_large") {
    fields.refuse("variance_type",
                  " = \"" + type +
                      "\" is not offered; fixed_small, fixed_small_log and "
                      "fixed_large are");
  }
  return type;
}

}  // namespace

SchedulerFile read_scheduler_file(const std::filesystem::path& path,
                                  const std::string& sampler_kind) {
  Fields fields(path.string(), parse(path));
  SchedulerFile file;
  SamplerConfig& sampler = file.sampler;
  sampler.kind = kind_of(fields, sampler_kind);
  const bool plain = sampler.kind == "ddpm" || sampler.kind == "ddim";
  file.noise = read_noise(fields);
  file.prediction = fields.get<std::string>("prediction_type", "epsilon");
  sampler.spacing = fields.get<std::string>("timestep_spacing",
                                            plain ? "leading" : "linspace");
  sampler.steps_offset = fields.get<std::int64_t>("steps_offset", 0);
  sampler.clip_sample = fields.get("clip_sample", true) && plain;
  sampler.set_alpha_to_one = fields.get("set_alpha_to_one", true);
  sampler.variance = read_variance(fields, sampler.kind);
  read_solver(fields, sampler);
  if (sampler.clip_sample && fields.get("clip_sample_range", 1.0) != 1.0) {
    fields.refuse("clip_sample_range", ": only 1 is offered");
  }
  fields.check_fixed();
  fields.check_all_known();
  const auto prediction =
      parse_prediction(path.string() + ": prediction_type", file.prediction);
  file.noise.validate(path.string());
  SamplerConfig one_step = sampler;
  one_step.num_steps = 1;
  one_step.validate(path.string(), file.noise, prediction);
  return file;
}

}  // namespace sono
