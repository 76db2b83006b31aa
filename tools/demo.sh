#!/usr/bin/env bash
# Compiles the demo's digit classifiers, classifies shipped images and compares bit widths. Works from any directory, on
# a fresh Debian machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

demo=tools/demo
models=build/demo
tidbit=build/release/tools/tidbit
variants=(float w8a8 w4a4 w2a2 w1a2)

compile() {  # compile VARIANT [OPTION...]
  "$tidbit" compile "$demo/digits_$1.onnx" -o "$models/digits_$1.tbit" \
    --mean 0.31 --std 0.38 --labels "$demo/labels.txt" "${@:2}"
}

accuracy() {  # accuracy VARIANT
  "$tidbit" run "$models/digits_$1.tbit" --input "$demo/test_images.npy" --expect-labels "$demo/test_labels.npy"
}

milliseconds() {  # milliseconds VARIANT
  "$tidbit" bench "$models/digits_$1.tbit" --json |
    awk -F'[:,]' '/"median_seconds"/ { printf "%.3f", 1000 * $2 }'
}

echo "== Dependencies"
tools/install_dependencies.sh

echo "== Build"
export CMAKE_CXX_COMPILER_LAUNCHER=ccache
cmake --preset release
cmake --build --preset release --target tidbit_command
mkdir -p "$models"

echo "== Compile the network with 2-bit weights and activations"
compile w2a2 --report

echo "== What it sees in the shipped images, and how sure it is"
"$tidbit" run "$models/digits_w2a2.tbit" --input "$demo"/digit_*.png --top 2

echo "== On the shipped test set"
accuracy w2a2

echo "== Beside other bit widths (one thread)"
printf '%-8s %12s %10s %12s\n' network 'file bytes' accuracy latency
for variant in "${variants[@]}"; do
  compile "$variant" --quiet
  printf '%-8s %12d %10s %9s ms\n' "${variant^^}" "$(stat --format=%s "$models/digits_$variant.tbit")" \
    "$(accuracy "$variant" | awk '{ print $2 " %" }')" "$(milliseconds "$variant")"
done
