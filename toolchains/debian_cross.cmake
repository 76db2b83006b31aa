# Cross build with Debian's compiler for TIDBIT_TARGET against the sysroot of TIDBIT_DEBIAN_ARCH, tests under TIDBIT_QEMU.
# Included by <target>.cmake.
get_filename_component(CMAKE_SYSROOT "${CMAKE_CURRENT_LIST_DIR}/../build/sysroot/${TIDBIT_DEBIAN_ARCH}" ABSOLUTE)
if(NOT IS_DIRECTORY "${CMAKE_SYSROOT}")
  message(FATAL_ERROR "no sysroot ${CMAKE_SYSROOT}: make it with tools/make_sysroot.sh ${TIDBIT_DEBIAN_ARCH}")
endif()
find_program(TIDBIT_CROSS_CXX ${TIDBIT_TARGET}-g++)
if(NOT TIDBIT_CROSS_CXX)
  message(FATAL_ERROR "${TIDBIT_TARGET}-g++ not found; install it: apt-get install g++-${TIDBIT_TARGET}")
endif()
find_program(TIDBIT_CROSS_C ${TIDBIT_TARGET}-gcc)  # of the tests; it comes with g++
find_program(TIDBIT_EMULATOR ${TIDBIT_QEMU})

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_CXX_COMPILER ${TIDBIT_CROSS_CXX})
set(CMAKE_C_COMPILER ${TIDBIT_CROSS_C})
set(CMAKE_LIBRARY_ARCHITECTURE ${TIDBIT_TARGET})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
if(TIDBIT_EMULATOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${TIDBIT_EMULATOR} -L ${CMAKE_SYSROOT})
endif()
