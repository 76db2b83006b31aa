#!/usr/bin/env bash
# Installs the Debian packages that Tidbit needs, those that are missing only.
#   tools/install_dependencies.sh          to build and test
#   tools/install_dependencies.sh arm      also what a cross build for ARM needs: compilers, qemu, llvm-mca
#   tools/install_dependencies.sh checks   also what .ci/run needs: all of that, clang, clang-format, clang-tidy
set -euo pipefail

packages=(
  g++ cmake ninja-build ccache
  flatbuffers-compiler libflatbuffers-dev   # the file
  libcpuinfo-dev libpthreadpool-dev libxnnpack-dev  # the runtime
  libonnx-dev libprotobuf-dev libfmt-dev    # the compiler
  libcli11-dev nlohmann-json3-dev libstb-dev  # the command
  libgtest-dev libgmock-dev libbenchmark-dev
  libdnnl-dev                               # what the benchmarks compare with, beside XNNPACK
)
arm_packages=(
  g++-aarch64-linux-gnu g++-arm-linux-gnueabihf
  debian-archive-keyring                    # tools/make_sysroot.sh
  qemu-user                                 # runs the tests
  llvm-19                                   # bench/arm_model
)
case "${1:-}" in
  "") ;;
  arm) packages+=("${arm_packages[@]}") ;;
  checks) packages+=("${arm_packages[@]}" clang clang-format clang-tidy libclang-rt-dev) ;;
  *) echo "install_dependencies.sh: unknown argument '$1': give none, 'arm' or 'checks'" >&2; exit 2 ;;
esac

if ! command -v apt-get dpkg-query >/dev/null; then
  echo "install_dependencies.sh: this is no Debian or Ubuntu: install these yourself: ${packages[*]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo "All ${#packages[@]} packages are installed."
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "install_dependencies.sh: needs root to install: run 'apt-get install ${missing[*]}' as root" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing ${#missing[@]} packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get -q update
"${as_root[@]}" apt-get -q -o Dpkg::Use-Pty=0 install -y --no-install-recommends "${missing[@]}"
