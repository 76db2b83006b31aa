#include "compiler/import/model_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

namespace tidbit::compiler {

static_assert(std::endian::native == std::endian::little, "ONNX keeps raw_data in little endian");

onnx::ModelProto read_model_file(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) throw CompileError("no such file");
  if (std::filesystem::is_directory(status)) throw CompileError("a directory; an ONNX file is needed");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw CompileError("the file cannot be read; check its permissions");
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (!error && size == 0) throw CompileError("the file is empty");
  if (!error && size > static_cast<uintmax_t>(std::numeric_limits<int32_t>::max())) {
    throw CompileError("the file is larger than the 2 GB that ONNX's format allows");
  }
  onnx::ModelProto model;
  if (!model.ParseFromIstream(&file)) throw CompileError("no ONNX model, or a damaged or truncated one");
  if (!model.has_graph() || model.graph().node().empty()) throw CompileError("no ONNX model: it holds no graph");
  return model;
}

namespace {

using onnx::TensorProto;

float float16(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float magnitude = std::ldexp(static_cast<float>(fraction + (exponent ? 1024 : 0)), std::max(exponent, 1) - 25);
  if (exponent == 31)
    magnitude = fraction ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
  return bits >> 15 ? -magnitude : magnitude;
}

float bfloat16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

void check_count(int64_t count, uint64_t stored) {
  if (stored != static_cast<uint64_t>(count)) {
    throw CompileError(fmt::format("its shape needs {} elements, the file holds {}", count, stored));
  }
}

/// From raw_data, or, where that is absent, from the repeated field that ONNX prescribes for the type.
template <class Stored, class Field>
std::vector<double> numbers(const TensorProto& tensor, int64_t count, const Field& field) {
  std::vector<double> result;
  if (!tensor.has_raw_data()) {
    check_count(count, static_cast<uint64_t>(field.size()));
    for (const auto value : field) result.push_back(static_cast<double>(static_cast<Stored>(value)));
    return result;
  }
  const std::string& raw = tensor.raw_data();
  if (raw.size() % sizeof(Stored) != 0) throw CompileError("its data ends within an element");
  check_count(count, raw.size() / sizeof(Stored));
  result.reserve(static_cast<size_t>(count));
  for (size_t i = 0; i < raw.size(); i += sizeof(Stored)) {
    Stored value;
    std::memcpy(&value, raw.data() + i, sizeof(Stored));
    result.push_back(static_cast<double>(value));
  }
  return result;
}

/// Two elements a byte, the first in the low half.
std::vector<double> nibbles(const TensorProto& tensor, int64_t count, bool is_signed) {
  std::vector<double> result;
  for (const double pair : numbers<uint8_t>(tensor, count / 2 + count % 2, tensor.int32_data())) {
    const int byte = static_cast<int>(pair);
    for (const int nibble : {byte & 15, byte >> 4}) result.push_back(is_signed && nibble > 7 ? nibble - 16 : nibble);
  }
  result.resize(static_cast<size_t>(count));
  return result;
}

std::vector<double> numbers(const TensorProto& tensor, int64_t count) {
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
      return numbers<float>(tensor, count, tensor.float_data());
    case TensorProto::DOUBLE:
      return numbers<double>(tensor, count, tensor.double_data());
    case TensorProto::FLOAT16: {
      std::vector<double> result = numbers<uint16_t>(tensor, count, tensor.int32_data());
      for (double& value : result) value = float16(static_cast<uint16_t>(value));
      return result;
    }
    case TensorProto::BFLOAT16: {
      std::vector<double> result = numbers<uint16_t>(tensor, count, tensor.int32_data());
      for (double& value : result) value = bfloat16(static_cast<uint16_t>(value));
      return result;
    }
    case kUint4:
      return nibbles(tensor, count, false);
    case kInt4:
      return nibbles(tensor, count, true);
    case TensorProto::INT8:
      return numbers<int8_t>(tensor, count, tensor.int32_data());
    case TensorProto::INT16:
      return numbers<int16_t>(tensor, count, tensor.int32_data());
    case TensorProto::INT32:
      return numbers<int32_t>(tensor, count, tensor.int32_data());
    case TensorProto::INT64:
      return numbers<int64_t>(tensor, count, tensor.int64_data());
    case TensorProto::UINT8:
    case TensorProto::BOOL:
      return numbers<uint8_t>(tensor, count, tensor.int32_data());
    case TensorProto::UINT16:
      return numbers<uint16_t>(tensor, count, tensor.int32_data());
    case TensorProto::UINT32:
      return numbers<uint32_t>(tensor, count, tensor.uint64_data());
    default:
      return numbers<uint64_t>(tensor, count, tensor.uint64_data());
  }
}

}  // namespace

bool holds_numbers(int data_type) {
  switch (data_type) {
    case TensorProto::BOOL:
    case TensorProto::INT8:
    case TensorProto::INT16:
    case TensorProto::INT32:
    case TensorProto::INT64:
    case TensorProto::UINT8:
    case TensorProto::UINT16:
    case TensorProto::UINT32:
    case TensorProto::UINT64:
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
    case TensorProto::FLOAT:
    case TensorProto::DOUBLE:
    case kUint4:
    case kInt4:
      return true;
    default:
      return false;
  }
}

bool holds_integers(int data_type) {
  return data_type != TensorProto::FLOAT16 && data_type != TensorProto::BFLOAT16 && data_type != TensorProto::FLOAT &&
         data_type != TensorProto::DOUBLE;
}

IntegerLimits limits_of(int data_type) {
  const auto of = [](int bits, bool is_signed) {
    const double levels = std::exp2(bits);
    return is_signed ? IntegerLimits{-levels / 2, levels / 2 - 1} : IntegerLimits{0, levels - 1};
  };
  switch (data_type) {
    case kUint4:
      return of(4, false);
    case kInt4:
      return of(4, true);
    case TensorProto::UINT8:
      return of(8, false);
    case TensorProto::INT8:
      return of(8, true);
    case TensorProto::UINT16:
      return of(16, false);
    case TensorProto::INT16:
      return of(16, true);
    case TensorProto::UINT32:
      return of(32, false);
    case TensorProto::INT32:
      return of(32, true);
    default:
      return of(64, data_type != TensorProto::UINT64);
  }
}

std::string data_type_name(int data_type) {
  if (data_type == kUint4) return "uint4";
  if (data_type == kInt4) return "int4";
  if (!TensorProto::DataType_IsValid(data_type)) return fmt::format("data type {}", data_type);
  std::string name = TensorProto::DataType_Name(static_cast<TensorProto::DataType>(data_type));
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

Tensor read_tensor(const TensorProto& tensor) {
  if (tensor.data_location() == TensorProto::EXTERNAL || !tensor.external_data().empty()) {
    throw CompileError("its data lies in another file; save the model as one file");
  }
  if (tensor.has_segment()) throw CompileError("is split into segments, which is not supported");
  if (!holds_numbers(tensor.data_type())) {
    throw CompileError(fmt::format("holds {}, which is not supported", data_type_name(tensor.data_type())));
  }
  const Shape shape(tensor.dims().begin(), tensor.dims().end());
  Tensor result = {shape, numbers(tensor, elements(shape))};
  const auto is_nan = [](double value) { return std::isnan(value); };
  if (std::any_of(result.data.begin(), result.data.end(), is_nan)) throw CompileError("holds NaN");
  return result;
}

}  // namespace tidbit::compiler
