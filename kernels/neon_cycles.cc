#include "kernels/neon_cycles.h"

namespace tidbit::kernels {

NeonCycles neon_cycles(Core core) {
  switch (core) {
    case Core::A53:
      return {.simple = 1.35, .lookup = 2.45, .multiply = 1.9, .dot = 1.8, .matrix = 1.8, .broadcast = 1};
    case Core::A72:
      return {.simple = 0.5, .lookup = 1.75, .multiply = 1, .dot = 0.5, .matrix = 0.5, .broadcast = 0.5};
    case Core::A76:
      return {.simple = 0.5, .lookup = 0.5, .multiply = 1, .dot = 0.5, .matrix = 0.5, .broadcast = 0.5};
  }
  return {};
}

}  // namespace tidbit::kernels
