# How Tidbit's own code is compiled.

# Flags that all of our targets share.
#   -ffp-contract=off: a fused multiply-add would round once where another tier rounds twice, and give other codes.
#   -Wconversion: on 32-bit machines the runtime and the kernels have it, which meet sizes that nobody vouches for; the
#   compiler holds counts within the machine's address space once (elements()), and then converts them freely.
#   -Wno-psabi: g++ for 32-bit ARM remarks on what changed in version 7.
add_library(tidbit_flags INTERFACE)
target_compile_options(tidbit_flags INTERFACE -Wall -Wextra -Wshadow $<$<EQUAL:${CMAKE_SIZEOF_VOID_P},8>:-Wconversion>
                                              $<$<AND:$<CXX_COMPILER_ID:GNU>,$<EQUAL:${CMAKE_SIZEOF_VOID_P},4>>:-Wno-psabi>
                                              -Wno-sign-conversion -ffp-contract=off
                                              $<$<BOOL:${TIDBIT_WERROR}>:-Werror>)
target_include_directories(tidbit_flags INTERFACE ${PROJECT_SOURCE_DIR})
if(TIDBIT_SANITIZE)
  target_compile_options(tidbit_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
                                                -fno-omit-frame-pointer)
  target_link_options(tidbit_flags INTERFACE -fsanitize=address,undefined)
endif()

# tidbit_library(NAME SOURCES... [PUBLIC LIBS...] [PRIVATE LIBS...])
function(tidbit_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} PRIVATE tidbit_flags ${ARG_PRIVATE})
endfunction()

# Tests and the command line spend their time in the libraries: they are compiled quickly.
set(TIDBIT_QUICK_COMPILE $<$<CONFIG:Release>:-O1>)

# tidbit_test(NAME SOURCES... LIBRARIES...): one GoogleTest program, one ctest test a case.
function(tidbit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE tidbit_flags ${ARG_LIBRARIES} tidbit_dep_gtest)
  target_compile_options(${name} PRIVATE ${TIDBIT_QUICK_COMPILE})
  target_compile_definitions(${name} PRIVATE TIDBIT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  include(GoogleTest)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600)
endfunction()
