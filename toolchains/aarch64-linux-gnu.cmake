# 64-bit ARM Linux, from Debian's cross compiler. Wants: tools/make_sysroot.sh arm64
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(TIDBIT_TARGET aarch64-linux-gnu)
set(TIDBIT_DEBIAN_ARCH arm64)
set(TIDBIT_QEMU qemu-aarch64)
include(${CMAKE_CURRENT_LIST_DIR}/debian_cross.cmake)
