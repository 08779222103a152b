// Bus bandwidth of an all-reduce in nccl-tests' terms, 2 (N - 1) / N * bytes /
// time: ours, ours by way of the communication thread, raw MPI_Allreduce and
// Gloo in turn.
//
//   mpirun -n 2 all_reduce [ROUNDS]

#define OMPI_SKIP_MPICXX 1  // the C interface only
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <functional>

#include "core/check.h"
#include "dist/reducer/comm_queue.h"
#include "tests/bench/gloo_group.h"
#include "tests/bench/samples.h"

namespace sono::bench {
namespace {

struct Size {
  const char* name;
  std::int64_t bytes;
  int calls;  // a measurement
};

constexpr Size kSizes[] = {{"64kB", std::int64_t{1} << 16, 200},
                           {"1MB", std::int64_t{1} << 20, 30},
                           {"64MB", std::int64_t{1} << 26, 1}};

struct Side {
  std::string name;
  std::function<void(at::Tensor)> all_reduce;
  Series series;
};

void mpi_all_reduce(const at::Tensor& tensor) {
  SONO_CHECK_EQ(MPI_Allreduce(MPI_IN_PLACE, tensor.mutable_data_ptr(),
                              static_cast<int>(tensor.numel()), MPI_FLOAT,
                              MPI_SUM, MPI_COMM_WORLD),
                MPI_SUCCESS);
}

// A side that is fast because it does not add up must not pass. Small integers
// are exact in any order.
void check_sum(const Communicator& comm, const Side& side,
               const at::Tensor& tensor) {
  const int n = comm.world_size();
  const at::Tensor ramp = at::arange(tensor.numel(), at::kFloat).remainder(97);
  at::Tensor(tensor).copy_(ramp + comm.rank());
  side.all_reduce(tensor);
  SONO_CHECK(at::equal(tensor, ramp * n + n * (n - 1) / 2),
             side.name << ": wrong sum of " << tensor.numel() << " elements");
}

void measure(Communicator& comm, const Size& size, int rounds,
             std::vector<Side> sides) {
  const int n = comm.world_size();
  at::Tensor tensor = at::zeros({size.bytes / 4}, at::kFloat);
  for (Side& side : sides) {
    side.series = {"all_reduce/" + side.name + "/" + size.name, "GB/s", {}, 0};
    check_sum(comm, side, tensor);
  }
  tensor.zero_();  // sums of zeros stay zeros, however often
  for (int round = 0; round <= rounds; ++round) {
    for (Side& side : sides) {
      const double seconds = time_together(comm, [&] {
        for (int call = 0; call < size.calls; ++call) side.all_reduce(tensor);
      });
      const double bytes = 2.0 * (n - 1) / n * static_cast<double>(size.bytes);
      if (round == 0) continue;  // warms up
      side.series.values.push_back(bytes * size.calls / seconds / 1e9);
    }
  }
  for (const Side& side : sides) print(comm, side.series);
}

void run(Communicator& comm, int rounds) {
  const GlooGroup gloo(comm);
  CommQueue queue(comm, /*threaded=*/true);
  const std::vector<Side> sides = {
      {"ours", [&](at::Tensor tensor) { comm.all_reduce(tensor); }, {}},
      {"ours_thread",
       [&](at::Tensor tensor) {
         queue.post([&] { comm.all_reduce(tensor); });
         queue.wait();
       },
       {}},
      {"mpi", &mpi_all_reduce, {}},
      {"gloo", [&](at::Tensor tensor) { gloo.all_reduce(tensor); }, {}}};
  for (const Size& size : kSizes) measure(comm, size, rounds, sides);
}

}  // namespace
}  // namespace sono::bench

int main(int argc, char** argv) {
  using namespace sono;
  return bench::bench_main([&](const MpiSession&, Communicator& comm) {
    bench::run(comm, argc > 1 ? bench::parse_count("ROUNDS", argv[1]) : 15);
  });
}
