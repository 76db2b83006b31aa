// Names inner loops in the assembly, for tools that model them (bench/arm_model).
#pragma once

/// Inside of an inner loop's body: names it, with its block of `pixels` by `vectors`, and the lanes of operations (of
/// multiplications, of ANDs of bits, of lookups) it does for each of both. A comment in the assembly, where TIDBIT_MCA
/// is defined; else nothing. All but the name are constants.
#if defined(TIDBIT_MCA)
#define TIDBIT_INNER_LOOP(name, pixels, vectors, lanes) \
  asm volatile("# tidbit loop " name " %c0x%c1 %c2" ::"i"(pixels), "i"(vectors), "i"(lanes))
#else
#define TIDBIT_INNER_LOOP(name, pixels, vectors, lanes) static_cast<void>(0)
#endif
