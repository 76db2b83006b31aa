#!/usr/bin/env bash
# Checks the kernels for Android as far as it goes without its NDK: clang's syntax and warnings for API 24 on arm64-v8a and
# armeabi-v7a, with the headers of Debian's cross compilers in place of Android's. Wants the sysroots (make_sysroot.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

warnings=(-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror)

check() {  # check TARGET DEBIAN_ARCH DEBIAN_TARGET KERNEL_FILE [FLAG...]
  local cxx=/usr/$3/include/c++/12 include=build/sysroot/$2/usr/include
  clang++ "--target=$1" -std=c++20 -fsyntax-only "${warnings[@]}" -ffp-contract=off "${@:5}" -I. \
    -nostdinc++ -isystem "$cxx" -isystem "$cxx/$3" -isystem "$include" -isystem "$include/$3" "$4"
}

for arch in arm64 armhf; do
  [[ -d build/sysroot/$arch ]] || { echo "check_android.sh: no sysroot: run tools/make_sysroot.sh $arch" >&2; exit 1; }
done
checked=0
for file in kernels/*.cc kernels/*/*.cc; do
  case $file in
    *avx*|*amx.cc) continue ;;
    *neondot.cc) check aarch64-linux-android24 arm64 aarch64-linux-gnu "$file" -march=armv8.2-a+dotprod ;;
    *neoni8mm.cc) check aarch64-linux-android24 arm64 aarch64-linux-gnu "$file" -march=armv8.2-a+dotprod+i8mm ;;
    *)
      check aarch64-linux-android24 arm64 aarch64-linux-gnu "$file"
      # Android passes floats in integer registers; Debian's headers know the other way only.
      check armv7a-linux-androideabi24 armhf arm-linux-gnueabihf "$file" -mfpu=neon-vfpv4 -D__ARM_PCS_VFP
      ;;
  esac
  checked=$((checked + 1))
done
echo "check_android.sh: $checked kernel files pass for arm64-v8a and armeabi-v7a"
