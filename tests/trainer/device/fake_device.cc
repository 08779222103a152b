#include "tests/trainer/device/fake_device.h"

#include <ATen/EmptyTensor.h>
#include <ATen/detail/HPUHooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <sys/mman.h>
#include <torch/library.h>
#include <unistd.h>

#include <map>
#include <mutex>

#include "core/check.h"

// The registry's names are LibTorch's.
namespace at {
namespace {

struct HPUHooks : HPUHooksInterface {
  explicit HPUHooks(HPUHooksArgs) {}
  void init() const override {}
  bool hasHPU() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  DeviceIndex deviceCount() const override { return 1; }
  DeviceIndex getCurrentDevice() const override { return 0; }
  DeviceIndex exchangeDevice(DeviceIndex) const override { return 0; }
  DeviceIndex maybeExchangeDevice(DeviceIndex) const override { return 0; }
  void setCurrentDevice(DeviceIndex) const override {}
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
};

REGISTER_HPU_HOOKS(HPUHooks);

}  // namespace
}  // namespace at

namespace sono {
namespace {

constexpr auto kType = c10::DeviceType::HPU;

// One file, mapped twice: where tensors point, out of everybody's reach, and
// where the kernels below reach it.
class Memory {
 public:
  static Memory& get() {
    static Memory memory;
    return memory;
  }

  void* allocate(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const std::size_t size =
        (std::max<std::size_t>(bytes, 1) + 255) / 256 * 256;
    auto& spare = free_[size];
    std::size_t offset = used_;
    if (!spare.empty()) {
      offset = spare.back();
      spare.pop_back();
    } else {
      used_ += size;
      SONO_CHECK(used_ <= kBytes, "the fake device is full");
    }
    sizes_[offset] = size;
    return forbidden_ + offset;
  }
  void release(void* pointer) {
    const std::lock_guard lock(mutex_);
    const std::size_t offset = offset_of(pointer);
    free_[sizes_.at(offset)].push_back(offset);
    sizes_.erase(offset);
  }
  char* reach(const void* pointer) { return open_ + offset_of(pointer); }

 private:
  static constexpr std::size_t kBytes = std::size_t{4} << 30;  // sparse

  Memory() {
    const int fd = ::memfd_create("fake device", MFD_CLOEXEC);
    SONO_CHECK(fd >= 0 && ::ftruncate(fd, kBytes) == 0, "memfd");
    const auto map = [&](int protection) {
      void* at = ::mmap(nullptr, kBytes, protection, MAP_SHARED, fd, 0);
      SONO_CHECK(at != MAP_FAILED, "mmap");
      return static_cast<char*>(at);
    };
    forbidden_ = map(PROT_NONE);
    open_ = map(PROT_READ | PROT_WRITE);
    ::close(fd);
  }
  std::size_t offset_of(const void* pointer) const {
    const char* at = static_cast<const char*>(pointer);
    SONO_CHECK(at >= forbidden_ && at < forbidden_ + kBytes,
               "memory of another device");
    return static_cast<std::size_t>(at - forbidden_);
  }

  char* forbidden_;
  char* open_;
  std::size_t used_ = 0;
  std::mutex mutex_;
  std::map<std::size_t, std::vector<std::size_t>> free_;
  std::map<std::size_t, std::size_t> sizes_;
};

class FakeAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    void* data = Memory::get().allocate(bytes);
    return {data, data, &release, c10::Device(kType, 0)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    std::memcpy(Memory::get().reach(to), Memory::get().reach(from), bytes);
  }

 private:
  static void release(void* data) { Memory::get().release(data); }
};

FakeAllocator allocator;

// The same values as a tensor of the host that shares their memory.
at::Tensor reachable(const at::Tensor& tensor) {
  if (tensor.is_cpu()) return tensor;
  SONO_CHECK(tensor.device().type() == kType, "a tensor of another device");
  void* data = tensor.numel() == 0 || !tensor.has_storage()
                   ? nullptr
                   : Memory::get().reach(tensor.storage().data()) +
                         tensor.storage_offset() *
                             static_cast<std::int64_t>(tensor.element_size());
  return at::from_blob(data, tensor.sizes(), tensor.strides(),
                       tensor.options().device(at::kCPU).requires_grad(false));
}

at::Tensor empty(c10::IntArrayRef size, std::optional<at::ScalarType> dtype,
                 std::optional<at::Layout>, std::optional<at::Device>,
                 std::optional<bool>, std::optional<at::MemoryFormat> format) {
  const auto type = c10::dtype_or_default(dtype);
  return at::detail::empty_generic(size, &allocator,
                                   c10::DispatchKeySet(c10::DispatchKey::HPU),
                                   type, format);
}

at::Tensor empty_strided(c10::IntArrayRef size, c10::IntArrayRef stride,
                         std::optional<at::ScalarType> dtype,
                         std::optional<at::Layout>, std::optional<at::Device>,
                         std::optional<bool>) {
  return at::detail::empty_strided_generic(
      size, stride, &allocator, c10::DispatchKeySet(c10::DispatchKey::HPU),
      c10::dtype_or_default(dtype));
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool) {
  const at::NoGradGuard no_grad;
  reachable(to).copy_(reachable(from));
  return to;
}

const at::Tensor& resize_fake(const at::Tensor& tensor, c10::IntArrayRef size,
                              std::optional<at::MemoryFormat>) {
  const auto bytes = static_cast<std::size_t>(c10::multiply_integers(size)) *
                     tensor.element_size();
  c10::StorageImpl* storage = tensor.storage().unsafeGetStorageImpl();
  if (storage->nbytes() < bytes) {
    storage->set_data_ptr_noswap(allocator.allocate(bytes));
    storage->set_nbytes(bytes);
  }
  tensor.unsafeGetTensorImpl()->set_sizes_contiguous(size);
  return tensor;
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  if (from.sizes() != to.sizes()) resize_fake(to, from.sizes(), std::nullopt);
  return copy_from(from, to, false);
}

void refuse_host_tensor(const at::Tensor& tensor, const std::string& op) {
  SONO_CHECK(
      !tensor.defined() || tensor.dim() == 0 || tensor.device().type() == kType,
      op << " was given a tensor of the host, " << tensor.sizes());
}

at::Tensor moved(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.to(fake_device()) : tensor;
}

at::Tensor bias_of(const std::optional<at::Tensor>& bias) {
  return bias && bias->defined() ? reachable(*bias) : at::Tensor();
}

// These two LibTorch asks of any device of its own.
at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight,
                       const std::optional<at::Tensor>& bias,
                       c10::SymIntArrayRef stride, c10::SymIntArrayRef padding,
                       c10::SymIntArrayRef dilation, bool transposed,
                       c10::SymIntArrayRef output_padding, c10::SymInt groups) {
  const at::NoGradGuard no_grad;
  return moved(at::convolution_symint(reachable(x), reachable(weight),
                                      bias_of(bias), stride, padding, dilation,
                                      transposed, output_padding, groups));
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward(
    const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight,
    c10::SymIntArrayRef stride, c10::SymIntArrayRef padding,
    c10::SymIntArrayRef dilation, bool transposed,
    c10::SymIntArrayRef output_padding, c10::SymInt groups,
    std::array<bool, 3> wanted) {
  const at::NoGradGuard no_grad;
  const auto [of_x, of_weight, of_bias] = at::convolution_backward_symint(
      reachable(gradient), reachable(x), reachable(weight),
      c10::SymIntArrayRef(at::SymInt(weight.size(0))), stride, padding,
      dilation, transposed, output_padding, groups, wanted);
  return {moved(of_x), moved(of_weight), moved(of_bias)};
}

// Any operation: the CPU's, once it is sure that the host's tensors are not
// among its arguments.
void run_on_cpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const std::string name = op.schema().name();
  for (const c10::IValue& value :
       torch::jit::last(*stack, op.schema().arguments().size())) {
    if (value.isTensor()) refuse_host_tensor(value.toTensor(), name);
    if (!value.isTensorList()) continue;
    for (const at::Tensor& tensor : value.toTensorVector()) {
      refuse_host_tensor(tensor, name);
    }
  }
  at::native::cpu_fallback(op, stack);
}

TORCH_LIBRARY_IMPL(_, HPU, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_cpu>());
}

TORCH_LIBRARY_IMPL(aten, HPU, library) {
  library.impl("empty.memory_format", TORCH_FN(empty));
  library.impl("empty_strided", TORCH_FN(empty_strided));
  library.impl("resize_", TORCH_FN(resize_fake));
  library.impl("_copy_from", TORCH_FN(copy_from));
  library.impl("_copy_from_and_resize", TORCH_FN(copy_from_and_resize));
  library.impl("convolution_overrideable", TORCH_FN(convolution));
  library.impl("convolution_backward_overrideable",
               TORCH_FN(convolution_backward));
  library.impl("as_strided", TORCH_FN(at::native::as_strided_tensorimpl));
  library.impl("unfold", TORCH_FN(at::native::unfold));
  library.impl("view", TORCH_FN(at::native::view));
  library.impl("_reshape_alias", TORCH_FN(at::native::_reshape_alias));
}

// Its kernels are done when they return, so events have always happened.
class FakeGuard : public c10::impl::NoOpDeviceGuardImpl<kType> {
 public:
  c10::Device getDevice() const override { return {kType, 0}; }
  c10::Device exchangeDevice(c10::Device) const override { return {kType, 0}; }
  c10::Stream getStream(c10::Device) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, {kType, 0});
  }
  c10::Stream getDefaultStream(c10::Device device) const override {
    return getStream(device);
  }
  c10::Stream getNewStream(c10::Device device, int) const override {
    return getStream(device);
  }
  c10::Stream exchangeStream(c10::Stream stream) const noexcept override {
    return stream;
  }
  c10::Stream getStreamFromGlobalPool(c10::Device device, bool) const override {
    return getStream(device);
  }
  void record(void** event, const c10::Stream&, c10::DeviceIndex,
              c10::EventFlag) const override {
    *event = const_cast<FakeGuard*>(this);
  }
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void synchronizeEvent(void*) const override {}
  void destroyEvent(void*, c10::DeviceIndex) const noexcept override {}
  void synchronizeStream(const c10::Stream&) const override {}
};

C10_REGISTER_GUARD_IMPL(HPU, FakeGuard);

}  // namespace

at::Device fake_device() {
  static const bool done = [] {
    c10::SetAllocator(kType, &allocator);
    return true;
  }();
  (void)done;
  return {kType, 0};
}

}  // namespace sono
