#include "launch/doctor/image_rate.h"

#include <chrono>

#include "data/image_file.h"
#include "data/phantom/phantom.h"

namespace sono {

ImageRate measure_image_rate(Communicator& comm, double seconds) {
  const cv::Mat image = make_phantom(PhantomConfig(), 0).image;
  const auto file = encode_png(image);
  const std::string_view bytes(reinterpret_cast<const char*>(file.data()),
                               file.size());
  comm.barrier();
  const auto start = std::chrono::steady_clock::now();
  double passed = 0;
  int count = 0;
  for (; passed < seconds; ++count) {
    decode_image(bytes, "a phantom");
    passed =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count();
  }
  ImageRate rate{image.cols, image.rows, std::ssize(file), {}};
  const at::Tensor own =
      at::full({1}, count / passed, at::kDouble).to(comm.device_type());
  for (const at::Tensor& part : comm.all_gather(own)) {
    rate.per_second.push_back(part.item<double>());
  }
  return rate;
}

}  // namespace sono
