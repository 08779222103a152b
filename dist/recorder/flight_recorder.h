#pragma once
// What one rank does, written as it happens into a mapped file on its own host:
// every operation among ranks, the phase, and signs of progress. The file
// outlives the process whatever kills it; ring_view.h reads it.
//
// Recording takes no lock and no memory and may be done by any thread of the
// rank. A null FlightRecorder* stands for "do not record" wherever one is
// taken.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "dist/recorder/phase.h"
#include "dist/recorder/rank_view.h"
#include "dist/recorder/ring_format.h"
#include "dist/recorder/step_trace.h"

namespace sono {

struct RecorderOptions {
  // Node-local; empty: $TMPDIR, else /tmp.
  std::filesystem::path folder;
  std::string job = "alone";  // the same for all ranks of one job and no other
  int rank = 0;
  int world_size = 0;  // 0: not known yet
  int local_rank = -1;
  std::string host;
  std::string device = "cpu";
  std::string build;
  Deadlines deadlines;
};

// Where the recording of `rank` lies: FOLDER/sonoforge-JOB-rankN.ring.
std::filesystem::path ring_path(const std::filesystem::path& folder,
                                const std::string& job, int rank);

class FlightRecorder {
 public:
  // Makes the file by writing all of it, so that a full disk is a
  // ResourceError here and no SIGBUS later.
  explicit FlightRecorder(const RecorderOptions& options);
  // Removes the file of a rank that ended well.
  ~FlightRecorder();
  FlightRecorder(const FlightRecorder&) = delete;
  FlightRecorder& operator=(const FlightRecorder&) = delete;

  const RecorderOptions& options() const { return options_; }
  const std::filesystem::path& path() const { return path_; }

  // One operation: begin when it is handed over, start when it is taken up
  // (`begin_now` does both), done when it has ended well. The sequence counts
  // the group's operations from 1.
  struct Operation {
    std::string_view name;
    std::uint8_t group = 0;
    std::uint64_t sequence = 0;
    std::uint64_t bytes = 0;
    std::uint64_t even_bytes = 0;
    int bucket = -1;
  };
  std::uint64_t begin(const Operation& operation);
  void start(std::uint64_t record);
  std::uint64_t begin_now(const Operation& operation);
  void done(std::uint64_t record);
  // Ranks whose data a long wait lacks; forgotten when an operation starts.
  void set_awaited(const std::vector<int>& ranks);

  // A number below 16 for the group of ranks of this name; 0 is "world".
  std::uint8_t group(std::string_view name);

  void set_phase(Phase phase, std::int64_t step);
  Phase phase() const;
  std::int64_t step() const;
  // Some piece of work was done.
  void tick();
  std::uint64_t progress() const { return live().progress; }

  // Phases, operations and slices go there too until it is set to null; it must
  // outlive that. Called by the thread that computes, between operations.
  void set_trace(StepTrace* trace);
  StepTrace* trace() const { return trace_.load(std::memory_order_acquire); }
  // Of operations begun while a bucket of gradients is at hand; -1: none.
  void set_bucket(int bucket) { bucket_ = bucket; }
  // The trace of this rank as JSON, on the wall clock of its host.
  std::string trace_json(const StepTrace& trace) const;

  // How long a wait inside a communicator may last before the communicator
  // gives up itself: longer than the watchdog, which speaks first.
  double wait_deadline_seconds() const;

  // Called by the watchdog's thread.
  void beat();
  void set_world_size(int world_size);
  int world_size() const;  // 0: not known yet
  void set_end(RingEnd end);
  RingEnd end() const;

  // A folder that all ranks see, RUN/recorder, for their status and for what is
  // left after a stall; empty until it is known.
  void set_shared_folder(const std::filesystem::path& folder);
  std::filesystem::path shared_folder() const;
  // What others read, even where the file has lost its name.
  RankView view() const;
  // Copies the ring there as rank-NNNN.ring; returns what went wrong, or "".
  std::string keep() const;

 private:
  RingHeader& header() const { return *static_cast<RingHeader*>(map_); }
  RingLive& live() const { return header().live; }
  RingRecord& record(std::uint64_t number) const;
  std::uint8_t intern(std::string_view name);

  void trace_operation(StepTrace& trace, const RingRecord& record) const;

  RecorderOptions options_;
  std::filesystem::path path_;
  int file_;
  void* map_;
  std::atomic<StepTrace*> trace_ = nullptr;
  std::atomic<int> bucket_ = -1;
  mutable std::mutex folder_mutex_;  // not taken when recording
  std::filesystem::path shared_folder_;
};

// Sets a phase for the time of a scope, then the one before again; one that an
// exception leaves stays, to tell where it came from.
class PhaseMark {
 public:
  PhaseMark(FlightRecorder* recorder, Phase phase);
  PhaseMark(FlightRecorder* recorder, Phase phase, std::int64_t step);
  ~PhaseMark();
  PhaseMark(const PhaseMark&) = delete;
  PhaseMark& operator=(const PhaseMark&) = delete;

 private:
  FlightRecorder* recorder_;
  int exceptions_ = 0;  // under way at the start
  Phase phase_before_ = Phase::kStage;
  std::int64_t step_before_ = 0;
};

// Something that lasts as long as a scope, for a trace that is being made;
// costs a look at a pointer otherwise.
class TraceSlice {
 public:
  // `number` stands behind the name when 0 or more: "lane 3".
  TraceSlice(FlightRecorder* recorder, std::string_view name,
             std::int64_t number = -1);
  ~TraceSlice();
  TraceSlice(const TraceSlice&) = delete;
  TraceSlice& operator=(const TraceSlice&) = delete;

 private:
  StepTrace* trace_;
  std::string_view name_;
  std::int64_t number_;
  std::int64_t begin_ns_ = 0;
};

// A bucket of gradients is at hand for the time of a scope.
class BucketMark {
 public:
  BucketMark(FlightRecorder* recorder, std::size_t bucket);
  ~BucketMark();
  BucketMark(const BucketMark&) = delete;
  BucketMark& operator=(const BucketMark&) = delete;

 private:
  FlightRecorder* recorder_;
  TraceSlice slice_;
};

}  // namespace sono
