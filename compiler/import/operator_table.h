// Which operators are imported, by domain and name.
#pragma once

#include <string_view>

#include "compiler/import/node_import.h"

namespace tidbit::compiler {

bool is_onnx_domain(std::string_view domain);

/// Null where there is none. Quantizers also come under no domain, and contributed operators also under ONNX's names.
const OperatorImport* find_operator(std::string_view domain, std::string_view name);

/// Why an operator that people meet is refused; empty where there is no more to say.
std::string_view reason_against(std::string_view name);

}  // namespace tidbit::compiler
