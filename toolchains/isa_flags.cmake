# tidbit_isa_flags(SOURCES...): the flags of a kernel file follow from its suffix, the tier it is for (kernels/isa.h).
#
# TIDBIT_ARCHITECTURE is what the compiler builds for: x86_64, aarch64, arm (32 bits) or empty. CMake's own
# CMAKE_SYSTEM_PROCESSOR is the kernel's, and 32-bit Raspberry Pi OS runs on a 64-bit kernel.
include(CheckCXXSourceCompiles)
set(TIDBIT_ARCHITECTURE "")
foreach(architecture x86_64 aarch64 arm)
  check_cxx_source_compiles("#ifndef __${architecture}__\n#error\n#endif\nint main() {}" TIDBIT_BUILDS_FOR_${architecture})
  if(TIDBIT_BUILDS_FOR_${architecture})
    set(TIDBIT_ARCHITECTURE ${architecture})
  endif()
endforeach()

# ISA files share no symbol with others (tests/kernels/isa_symbols.sh), so they do without exceptions too: a call out of
# a noexcept function would need the shared handler.
set(tidbit_isa_flags_scalar -fno-exceptions)
set(tidbit_isa_flags_avx2 -fno-exceptions -mavx2 -mfma)
set(tidbit_isa_flags_avxvnni ${tidbit_isa_flags_avx2} -mavxvnni)
set(tidbit_isa_flags_avx512 ${tidbit_isa_flags_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 takes what its own AVX-512 intrinsics leave undefined for uninitialized variables.
  list(APPEND tidbit_isa_flags_avx512 -Wno-uninitialized -Wno-maybe-uninitialized)
endif()
set(tidbit_isa_flags_avx512vnni ${tidbit_isa_flags_avx512} -mavx512vnni -mavx512vbmi -mavx512vpopcntdq -mavx512bitalg)
set(tidbit_isa_flags_amx ${tidbit_isa_flags_avx512vnni} -mamx-tile -mamx-int8)
if(TIDBIT_ARCHITECTURE STREQUAL "aarch64")
  set(tidbit_isa_flags_neon -fno-exceptions)
  set(tidbit_isa_flags_neondot -fno-exceptions -march=armv8.2-a+dotprod)
  set(tidbit_isa_flags_neoni8mm -fno-exceptions -march=armv8.2-a+dotprod+i8mm)
else()
  set(tidbit_isa_flags_neon -fno-exceptions -march=armv7-a -mfpu=neon-vfpv4)
endif()

# UndefinedBehaviorSanitizer's checks of every access make minutes of these files' unrolled loops (clang 14: 154 s for one).
# AddressSanitizer watches the same accesses.
if(TIDBIT_SANITIZE)
  foreach(tier avx2 avxvnni avx512 avx512vnni amx neon neondot neoni8mm)
    list(APPEND tidbit_isa_flags_${tier} -fno-sanitize=null,alignment,object-size,pointer-overflow,bounds)
  endforeach()
endif()

function(tidbit_isa_flags)
  foreach(source ${ARGN})
    string(REGEX REPLACE "^.*[_/]|\\.cc$" "" tier ${source})
    if(DEFINED tidbit_isa_flags_${tier})
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${tidbit_isa_flags_${tier}}")
    endif()
  endforeach()
endfunction()
