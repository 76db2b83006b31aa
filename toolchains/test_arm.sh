#!/usr/bin/env bash
# Runs the tests of a cross build under qemu, each program in one process; ctest starts one, and so qemu, for each test.
#   toolchains/test_arm.sh aarch64-linux-gnu|arm-linux-gnueabihf CPU [DIRECTORY...]
# CPU is one that qemu knows (cortex-a72, cortex-a7, max); DIRECTORY is one of tests/, default all. GTEST_FILTER applies.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fail() { echo "test_arm.sh: $*" >&2; exit 2; }
(($# >= 2)) || fail "usage: toolchains/test_arm.sh aarch64-linux-gnu|arm-linux-gnueabihf CPU [DIRECTORY...]"
case $1 in
  aarch64-linux-gnu) qemu=qemu-aarch64 sysroot=build/sysroot/arm64 ;;
  arm-linux-gnueabihf) qemu=qemu-arm sysroot=build/sysroot/armhf ;;
  *) fail "unknown preset: $1; take aarch64-linux-gnu or arm-linux-gnueabihf" ;;
esac
command -v "$qemu" >/dev/null || fail "$qemu is not found; install it: apt-get install qemu-user"
cpus=$("$qemu" -cpu help || true)  # it ends with 1
[[ $'\n'$cpus$'\n' =~ [[:space:]]$2[[:space:]] ]] || fail "$qemu knows no CPU $2; it lists those it knows: $qemu -cpu help"
export QEMU_CPU=$2
directories=("${@:3}")
((${#directories[@]} > 0)) || directories=('')
programs=()
for directory in "${directories[@]}"; do
  tests=build/$1/tests/$directory
  [[ -d $tests ]] || fail "$tests does not exist; build it: cmake --build --preset $1"
  mapfile -t found < <(find "$tests" -type f -name '*_test' -perm -u+x -printf '%s %p\n' | sort -rn | cut -d' ' -f2-)
  ((${#found[@]} > 0)) || fail "$tests has no test programs; build them: cmake --build --preset $1"
  programs+=("${found[@]}")
done
# The largest, which take longest, come first. Each one's output is held until it ends: others run beside it.
printf '%s\n' "${programs[@]}" | QEMU=$qemu SYSROOT=$sysroot xargs -P "$(nproc)" -I PROGRAM bash -c '
  output=$("$QEMU" -L "$SYSROOT" "$1" --gtest_brief=1 2>&1) && status=0 || status=$?
  printf "%s\n%s\n" "$1" "$output"
  exit $status' _ PROGRAM
echo "${#programs[@]} test programs passed on $2"
