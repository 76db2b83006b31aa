#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every test. Works from any directory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

echo "== Dependencies"
tools/install_dependencies.sh
export CMAKE_CXX_COMPILER_LAUNCHER=ccache

echo "== Build"
cmake --preset release
cmake --build --preset release

echo "== Tests"
ctest --preset release --parallel "$(nproc)"
