#pragma once
// Products with weights that are not trained, by oneDNN: it reads a weight
// where it lies, also transposed, where the BLAS library first brings it into
// an order of its own. The fewer rows, the more that costs: on two cores of an
// AMD EPYC, 64 rows times 1280 x 10240 run at 182 in place of 113 GFLOP/s, and
// their gradient at 215 in place of 133; 1024 rows gain a tenth. fp32 on the
// CPU.

#include <ATen/ATen.h>

namespace sono {

// Whether that is to be had for `rows` rows: the type, the place, and sizes at
// which it was faster.
bool product_pays(const at::Tensor& weight, std::int64_t rows);

// x [rows, in] * weight^T [in, out] + bias [out] or undefined -> [rows, out].
// The weight may be a transposed view. No gradients.
at::Tensor frozen_product(const at::Tensor& x, const at::Tensor& weight,
                          const at::Tensor& bias = {});

// The same with a gradient for x; neither weight nor bias requires one. The
// result is nobody's view and may be added to in place.
at::Tensor frozen_linear(const at::Tensor& x, const at::Tensor& weight,
                         const at::Tensor& bias);

}  // namespace sono
