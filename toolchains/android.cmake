# The NDK's own toolchain file, found by the environment variable ANDROID_NDK_ROOT.
set(TIDBIT_NDK "$ENV{ANDROID_NDK_ROOT}" CACHE PATH "The Android NDK")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES TIDBIT_NDK)
if(NOT EXISTS "${TIDBIT_NDK}/build/cmake/android.toolchain.cmake")
  message(FATAL_ERROR "no Android NDK at '${TIDBIT_NDK}': set ANDROID_NDK_ROOT to where it is unpacked")
endif()
include("${TIDBIT_NDK}/build/cmake/android.toolchain.cmake")
