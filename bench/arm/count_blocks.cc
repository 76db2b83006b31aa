// A plugin for qemu's user mode: how often each block of instructions ran. bench/arm_model builds and loads it.
//   qemu-aarch64 -plugin count_blocks.so,out=FILE PROGRAM
// FILE has a line for each block, "block ADDRESS INSTRUCTIONS TIMES SYMBOL" (ADDRESS in hexadecimal, SYMBOL perhaps
// empty), and then a line for each of its instructions: its bytes, in hexadecimal.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

// What is used here of qemu's plugin interface, version 1 (its header, qemu-plugin.h, is not packaged).
extern "C" {
using qemu_plugin_id_t = uint64_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb*);
uint64_t qemu_plugin_tb_vaddr(const qemu_plugin_tb*);
qemu_plugin_insn* qemu_plugin_tb_get_insn(const qemu_plugin_tb*, size_t index);
const void* qemu_plugin_insn_data(const qemu_plugin_insn*);
size_t qemu_plugin_insn_size(const qemu_plugin_insn*);
const char* qemu_plugin_insn_symbol(const qemu_plugin_insn*);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, qemu_plugin_tb*));
void qemu_plugin_register_vcpu_tb_exec_inline(qemu_plugin_tb*, qemu_plugin_op, void* counter, uint64_t add);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void*), void*);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;
__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t, const void* info, int, char**);
}

namespace {

struct Block {
  uint64_t times = 0;
  std::string symbol;
  std::vector<std::string> instructions;
};

// By address and length: a block may be translated again, and cut elsewhere. Elements stay where they are.
std::map<std::pair<uint64_t, size_t>, Block> blocks;
std::string out_path;

std::string bytes_of(const qemu_plugin_insn* instruction) {
  const auto* bytes = static_cast<const unsigned char*>(qemu_plugin_insn_data(instruction));
  std::string text;
  for (size_t i = 0; i < qemu_plugin_insn_size(instruction); ++i) {
    char byte[8];
    std::snprintf(byte, sizeof(byte), "0x%02x ", bytes[i]);
    text += byte;
  }
  return text;
}

void translate(qemu_plugin_id_t, qemu_plugin_tb* tb) {
  const size_t count = qemu_plugin_tb_n_insns(tb);
  Block& block = blocks[{qemu_plugin_tb_vaddr(tb), count}];
  if (block.instructions.empty()) {
    const char* symbol = qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(tb, 0));
    if (symbol != nullptr) block.symbol = symbol;
    for (size_t i = 0; i < count; ++i) {
      block.instructions.push_back(bytes_of(qemu_plugin_tb_get_insn(tb, i)));
    }
  }
  qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &block.times, 1);
}

void write_blocks(qemu_plugin_id_t, void*) {
  std::FILE* out = std::fopen(out_path.c_str(), "w");
  if (out == nullptr) {
    std::fprintf(stderr, "count_blocks: cannot write %s\n", out_path.c_str());
    return;
  }
  for (const auto& [place, block] : blocks) {
    std::fprintf(out, "block %llx %zu %llu %s\n", static_cast<unsigned long long>(place.first), place.second,
                 static_cast<unsigned long long>(block.times), block.symbol.c_str());
    for (const std::string& instruction : block.instructions) std::fprintf(out, "%s\n", instruction.c_str());
  }
  std::fclose(out);
}

}  // namespace

int qemu_plugin_install(qemu_plugin_id_t id, const void*, int argc, char** argv) {
  for (int i = 0; i < argc; ++i) {
    if (std::strncmp(argv[i], "out=", 4) == 0) out_path = argv[i] + 4;
  }
  if (out_path.empty()) {
    std::fprintf(stderr, "count_blocks: give out=FILE\n");
    return 1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
  qemu_plugin_register_atexit_cb(id, write_blocks, nullptr);
  return 0;
}
