#include <map>

#include "compiler/lowering/plan.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace tidbit::compiler {
namespace {

/// Finds what is needed from the outputs backwards, plans each demand, then makes the nodes from the inputs forwards.
class Lowering {
 public:
  explicit Lowering(const Graph& graph) : graph_(graph), analysis_(graph), planner_(analysis_) {}

  Graph run() {
    plan();
    result_.name = graph_.name;
    for (ValueId input : graph_.inputs) {
      Value value = graph_[input];
      made_[{input, false}] = result_.add(std::move(value));
      result_.inputs.push_back(made_[{input, false}]);
    }
    for (const Node& node : graph_.nodes) {
      for (const bool codes : {true, false}) {
        const auto planned = plans_.find({node.outputs[0], codes});
        if (planned != plans_.end()) make(node, {node.outputs[0], codes}, planned->second);
      }
    }
    for (ValueId output : graph_.outputs) result_.outputs.push_back(made({output, false}));
    sort_topologically(result_);
    remove_dead(result_);
    return std::move(result_);
  }

 private:
  using Key = std::pair<ValueId, bool>;  // of a Demand

  void plan() {
    std::map<Key, bool> needed;
    for (ValueId output : graph_.outputs) needed[{output, false}] = true;
    for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
      for (const bool codes : {false, true}) {  // reals may need the codes of the same value
        const Key key{node->outputs[0], codes};
        if (!needed.contains(key)) continue;
        const Plan& plan = plans_.emplace(key, planner_.plan({key.first, codes})).first->second;
        for (const Demand& need : plan.needs) needed[{need.value, need.codes}] = true;
      }
    }
  }

  /// The value of the new graph that meets a demand; constants are copied when first read.
  ValueId made(const Demand& demand) {
    const Key key{demand.value, demand.codes};
    if (graph_[demand.value].constant && !made_.contains(key)) made_[key] = result_.add(graph_[demand.value]);
    return made_.at(key);
  }

  void make(const Node& node, const Demand& demand, const Plan& plan) {
    const Key key{demand.value, demand.codes};
    if (!plan.op && plan.layer == kNoValue) {
      made_[key] = made(plan.needs[0]);
      return;
    }
    Value value = graph_[demand.value];
    value.codes = demand.codes;
    value.quantization = demand.codes ? analysis_.grid(demand.value) : std::nullopt;
    const ValueId output = made_[key] = result_.add(std::move(value));
    if (plan.layer != kNoValue) {
      add_epilogue(plan, output);
      return;
    }
    Node made_node{unique_name(node.name, demand), *plan.op, {}, {output}, plan.note};
    for (const Demand& need : plan.needs) made_node.inputs.push_back(made(need));
    result_.nodes.push_back(std::move(made_node));
  }

  /// A value that is needed in both forms has two nodes.
  std::string unique_name(const std::string& name, const Demand& demand) const {
    const bool both = plans_.contains({demand.value, true}) && plans_.contains({demand.value, false});
    return both && !demand.codes ? name + "/real" : name;
  }

  void add_epilogue(const Plan& plan, ValueId output) {
    const Layer& layer = *analysis_.layer(plan.layer);
    auto [found, is_new] = layer_nodes_.emplace(plan.layer, result_.nodes.size());
    if (is_new) {
      const std::string& name = analysis_.producer(plan.layer)->name;
      result_.nodes.push_back({name, layer.linear, {made(plan.needs[0])}, {}, layer.reason});
    }
    Node& node = result_.nodes[found->second];
    std::get<op::Linear>(node.op).epilogues.push_back(*plan.epilogue);
    node.outputs.push_back(output);
    if (plan.needs.size() > 1 && node.inputs.size() == 1) node.inputs.push_back(made(plan.needs[1]));
    const std::string separator = node.note.empty() ? "" : "; ";
    node.note += separator + plan.note;
  }

  const Graph& graph_;
  Analysis analysis_;
  Planner planner_;
  std::map<Key, Plan> plans_;
  std::map<Key, ValueId> made_;
  std::map<ValueId, size_t> layer_nodes_;  // index of the node of each layer
  Graph result_;
};

}  // namespace

void lower(Graph& graph) { graph = Lowering(graph).run(); }

}  // namespace tidbit::compiler
