#include "dist/reducer/bucket_tracker.h"

#include <utility>

namespace sono {

BucketTracker::BucketTracker(const BucketPlan& plan, std::size_t num_entries,
                             std::function<void(std::size_t)> release)
    : plan_(plan),
      release_(std::move(release)),
      buckets_of_(num_entries),
      missing_(plan.buckets().size()),
      seen_(num_entries) {
  for (std::size_t b = 0; b < plan.buckets().size(); ++b) {
    const Bucket& bucket = plan.buckets()[b];
    for (auto i = bucket.first_entry; i < bucket.last_entry; ++i) {
      buckets_of_[i].push_back(b);
    }
  }
}

void BucketTracker::start(bool idle) {
  idle_ = idle;
  next_ = 0;
  for (std::size_t b = 0; b < missing_.size(); ++b) {
    const Bucket& bucket = plan_.buckets()[b];
    missing_[b] = bucket.last_entry - bucket.first_entry;
  }
}

void BucketTracker::arrived(std::size_t i) {
  seen_[i] = 1;
  if (idle_) return;
  for (const std::size_t b : buckets_of_[i]) --missing_[b];
  while (next_ < missing_.size() && missing_[next_] == 0) release_(next_++);
}

void BucketTracker::release_rest() {
  while (next_ < missing_.size()) release_(next_++);
}

}  // namespace sono
