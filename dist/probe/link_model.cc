#include "dist/probe/link_model.h"

#include <algorithm>

#include "core/check.h"

namespace sono {

double LinkModel::exchange_seconds(double buffer_bytes) const {
  if (ranks < 2) return 0;
  return alpha + beta * buffer_bytes * (ranks - 1) / ranks;
}

// t_i = 2 alpha + 2 (n - 1) / n S_i beta, each row divided by t_i.
LinkModel fit_link(const std::vector<AllReduceTime>& times) {
  SONO_CHECK(times.size() >= 2, "an alpha and a beta need two sizes");
  const double share = 2.0 * (times[0].ranks - 1) / times[0].ranks;
  double aa = 0, ab = 0, bb = 0, ay = 0, by = 0;
  for (const AllReduceTime& time : times) {
    const double a = 2 / time.seconds;
    const double b = share * static_cast<double>(time.bytes) / time.seconds;
    aa += a * a;
    ab += a * b;
    bb += b * b;
    ay += a;
    by += b;
  }
  const double determinant = aa * bb - ab * ab;
  LinkModel link{times[0].ranks};
  if (determinant > 0) {
    link.alpha = (bb * ay - ab * by) / determinant;
    link.beta = (aa * by - ab * ay) / determinant;
  }
  if (link.alpha <= 0) link = {link.ranks, 0, by / bb};
  if (link.beta <= 0) link = {link.ranks, ay / aa, 0};
  return link;
}

LinkModel link_for(const std::vector<LinkModel>& measured, int ranks) {
  SONO_CHECK(!measured.empty(), "no link was measured");
  if (ranks < 2) return {ranks, 0, 0};
  const LinkModel& last = measured.back();
  if (ranks > last.ranks) {
    return {ranks, last.alpha * (ranks - 1) / (last.ranks - 1), last.beta};
  }
  const auto above =
      std::find_if(measured.begin(), measured.end(),
                   [&](const LinkModel& link) { return link.ranks >= ranks; });
  if (above->ranks == ranks || above == measured.begin()) {
    return {ranks, above->alpha, above->beta};
  }
  const LinkModel& below = *(above - 1);
  const double part =
      static_cast<double>(ranks - below.ranks) / (above->ranks - below.ranks);
  return {ranks, below.alpha + part * (above->alpha - below.alpha),
          below.beta + part * (above->beta - below.beta)};
}

}  // namespace sono
