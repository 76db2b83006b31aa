# 32-bit ARMv7 Linux with hardware floats, from Debian's cross compiler. Wants: tools/make_sysroot.sh armhf
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(TIDBIT_TARGET arm-linux-gnueabihf)
set(TIDBIT_DEBIAN_ARCH armhf)
set(TIDBIT_QEMU qemu-arm)
include(${CMAKE_CURRENT_LIST_DIR}/debian_cross.cmake)
