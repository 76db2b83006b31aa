#include "compiler/import/operator_table.h"

#include <algorithm>
#include <span>
#include <vector>

#include "compiler/operators.h"

namespace tidbit::compiler {
namespace {

using Table = std::span<const OperatorImport>;

std::vector<Table> onnx_tables() {
  return {constant_operators(), deconvolution_operators(), elementwise_operators(), gather_operators(),
          layout_operators(),   linear_quantizers(),       matrix_operators(),      normalization_operators(),
          qlinear_operators(),  ranking_operators(),       resize_operators(),      window_operators()};
}

/// Domains that mean the same, and their operators.
struct Family {
  std::vector<std::string_view> domains;
  std::vector<Table> tables;
};

std::vector<Family> families() {
  return {{{"", "ai.onnx"}, onnx_tables()},
          {{"qonnx.custom_op.general", "onnx.brevitas", "qonnx", "finn.custom_op.general"}, {quantizer_operators()}},
          {{"qonnx.custom_op.channels_last"}, {channels_last_operators()}},
          {{"com.microsoft"}, {contributed_operators(), linear_quantizers()}}};
}

const OperatorImport* find_in(const std::vector<Table>& tables, std::string_view name) {
  for (const Table& table : tables) {
    const auto found = std::ranges::find(table, name, &OperatorImport::name);
    if (found != table.end()) return &*found;
  }
  return nullptr;
}

constexpr RefusedOperator kRefused[] = {
    {"FloatQuant", "quantizers to floating point are not supported, only those to integers"},
    {"DynamicQuantizeLinear", "its scale depends on the data; quantize the model statically"},
    {"LSTM", "recurrent layers and their quantizers are not supported"},
    {"GRU", "recurrent layers and their quantizers are not supported"},
    {"RNN", "recurrent layers and their quantizers are not supported"},
    {"QuantLSTMCell", "recurrent layers and their quantizers are not supported"},
    {"Loop", "control flow is not supported"},
    {"Scan", "control flow is not supported"},
    {"If", "control flow is not supported"},
    {"NonZero", "its output's shape depends on the data"},
};

}  // namespace

bool is_onnx_domain(std::string_view domain) { return domain.empty() || domain == "ai.onnx"; }

const OperatorImport* find_onnx_operator(std::string_view name) { return find_in(onnx_tables(), name); }

const OperatorImport* find_operator(std::string_view domain, std::string_view name) {
  for (const Family& family : families()) {
    if (std::ranges::find(family.domains, domain) == family.domains.end()) continue;
    const OperatorImport* const found = find_in(family.tables, name);
    return found || !is_onnx_domain(domain) ? found : find_in({quantizer_operators()}, name);
  }
  return nullptr;
}

std::string_view reason_against(std::string_view name) {
  const auto* const found = std::ranges::find(kRefused, name, &RefusedOperator::name);
  return found != std::end(kRefused) ? found->reason : std::string_view{};
}

std::vector<OperatorFamily> imported_operators() {
  std::vector<OperatorFamily> result;
  for (const Family& family : families()) {
    OperatorFamily all = {family.domains, {}};
    for (const Table& table : family.tables) {
      for (const OperatorImport& entry : table) all.operators.push_back(entry.name);
    }
    std::ranges::sort(all.operators);
    result.push_back(std::move(all));
  }
  return result;
}

std::span<const RefusedOperator> refused_operators() { return kRefused; }

}  // namespace tidbit::compiler
