#pragma once
// Communication as alpha + beta * bytes (Hockney 1994), fitted to measured
// all-reduces.

#include <cstdint>
#include <vector>

#include "dist/probe/all_reduce_times.h"

namespace sono {

// One exchange among `ranks`: each sends and receives (n - 1) / n of a buffer
// of S bytes in n - 1 messages. An all-reduce is two of them.
struct LinkModel {
  int ranks = 1;
  double alpha = 0;  // seconds an exchange
  double beta = 0;   // seconds a byte that a rank sends

  double exchange_seconds(double buffer_bytes) const;
};

// Least squares of the relative errors, neither below 0. All times are of one
// number of ranks, above 1, and of two sizes at least.
LinkModel fit_link(const std::vector<AllReduceTime>& times);

// The model for another number of ranks: as measured where it was, between two
// measured ones by straight lines, beyond the largest with alpha grown by
// messages, alpha (n - 1) / (m - 1), and beta kept. `measured` is by rising
// ranks, not empty.
LinkModel link_for(const std::vector<LinkModel>& measured, int ranks);

}  // namespace sono
