#!/usr/bin/env bash
# Makes a network at the precisions that the benchmarks compare, as ONNX and compiled, where it is missing.
#   bench/make_models.sh NETWORK [PRECISION...]    writes BUILD/models/NETWORK_PRECISION.{onnx,tbit}
# BUILD is build/release. A precision is float, wWaA (bits of weights and activations), or w8a8_qdq, which is not
# compiled; those that peers/ compares if none is given.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${BUILD:-build/release}
tidbit=$build/tools/tidbit
network=$1
shift
mkdir -p "$build/models"

# make PRECISION WEIGHT_BITS ACTIVATION_BITS FORMAT
make() {
  local onnx=$build/models/${network}_$1.onnx
  [[ $onnx -nt $tidbit ]] ||
    "$tidbit" make "$network" --weights-bits "$2" --activation-bits "$3" --format "$4" -o "$onnx"
}
for precision in ${@:-float w8a8 w4a4 w2a2 w1a1 w8a8_qdq}; do
  case $precision in
    float) make float float float qonnx ;;
    w8a8_qdq) make w8a8_qdq 8 8 qdq; continue ;;
    *) make $precision "${precision:1:1}" "${precision:3:1}" qonnx ;;
  esac
  tbit=$build/models/${network}_$precision.tbit
  [[ $tbit -nt $tidbit ]] || "$tidbit" compile "$build/models/${network}_$precision.onnx" -o "$tbit" --quiet
done
