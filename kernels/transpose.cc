#include "kernels/transpose.h"

#include <cstring>
#include <utility>

namespace tidbit::kernels {
namespace {

// Vectors of 16 bytes, which every processor here has: compilers make the zips of them that it knows.
template <class T>
struct Block {
  using Vector [[gnu::vector_size(16)]] = T;
  static constexpr size_t kLanes = 16 / sizeof(T);

  template <size_t... i>
  static void zip(const Vector& a, const Vector& b, Vector& first, Vector& last, std::index_sequence<i...>) {
    constexpr size_t kHalf = kLanes / 2;
    first = __builtin_shufflevector(a, b, (i % 2 * kLanes + i / 2)...);
    last = __builtin_shufflevector(a, b, (i % 2 * kLanes + kHalf + i / 2)...);
  }

  /// kLanes x kLanes. Zipping row i with row i + kLanes/2 moves each bit of an element's place, row and column, by one:
  /// as often as a row's number has bits, it swaps the two.
  static void turn(const T* in, size_t in_step, T* out, size_t out_step) {
    Vector rows[kLanes], zipped[kLanes];
    for (size_t i = 0; i < kLanes; ++i) std::memcpy(&rows[i], in + i * in_step, sizeof(Vector));
    for (size_t bit = kLanes; bit > 1; bit /= 2) {
      for (size_t i = 0; i < kLanes / 2; ++i) {
        zip(rows[i], rows[i + kLanes / 2], zipped[2 * i], zipped[2 * i + 1], std::make_index_sequence<kLanes>());
      }
      for (size_t i = 0; i < kLanes; ++i) rows[i] = zipped[i];
    }
    for (size_t i = 0; i < kLanes; ++i) std::memcpy(out + i * out_step, &rows[i], sizeof(Vector));
  }

  static void turn_one_by_one(const T* in, size_t in_step, size_t rows, size_t columns, T* out, size_t out_step) {
    for (size_t row = 0; row < rows; ++row) {
      for (size_t column = 0; column < columns; ++column) out[row * out_step + column] = in[column * in_step + row];
    }
  }

  static void turn_all(const T* in, size_t in_step, size_t rows, size_t columns, T* out, size_t out_step) {
    const size_t whole_rows = rows - rows % kLanes, whole_columns = columns - columns % kLanes;
    constexpr size_t kTile = 64;  // columns whose lines stay in L1 while rows of them are turned
    for (size_t first = 0; first < whole_columns; first += kTile) {
      const size_t end = whole_columns - first < kTile ? whole_columns : first + kTile;
      for (size_t row = 0; row < whole_rows; row += kLanes) {
        for (size_t column = first; column < end; column += kLanes) {
          turn(in + column * in_step + row, in_step, out + row * out_step + column, out_step);
        }
      }
    }
    turn_one_by_one(in + whole_columns * in_step, in_step, whole_rows, columns - whole_columns, out + whole_columns,
                    out_step);
    turn_one_by_one(in + whole_rows, in_step, rows - whole_rows, columns, out + whole_rows * out_step, out_step);
  }
};

}  // namespace

void transpose(const uint8_t* in, size_t in_step, size_t rows, size_t columns, uint8_t* out, size_t out_step) noexcept {
  Block<uint8_t>::turn_all(in, in_step, rows, columns, out, out_step);
}

void transpose(const float* in, size_t in_step, size_t rows, size_t columns, float* out, size_t out_step) noexcept {
  Block<float>::turn_all(in, in_step, rows, columns, out, out_step);
}

}  // namespace tidbit::kernels
