// Matrices turned, of codes or reals.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidbit::kernels {

/// out[r][c] = in[c][r] for `rows` x `columns` of out. Elements of a row, of `in` and of `out`, are neighbours; their
/// rows are `in_step` and `out_step` elements apart.
void transpose(const uint8_t* in, size_t in_step, size_t rows, size_t columns, uint8_t* out, size_t out_step) noexcept;
void transpose(const float* in, size_t in_step, size_t rows, size_t columns, float* out, size_t out_step) noexcept;

}  // namespace tidbit::kernels
