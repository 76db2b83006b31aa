#!/usr/bin/env bash
# Makes a network at every precision that the benchmarks compare, as ONNX and compiled, where it is missing.
#   bench/make_models.sh NETWORK    writes BUILD/models/NETWORK_PRECISION.{onnx,tbit}; BUILD is build/release
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${BUILD:-build/release}
tidbit=$build/tools/tidbit
network=$1
mkdir -p "$build/models"

# make PRECISION WEIGHT_BITS ACTIVATION_BITS FORMAT
make() {
  local onnx=$build/models/${network}_$1.onnx
  [[ $onnx -nt $tidbit ]] || "$tidbit" make "$network" --weights-bits "$2" --activation-bits "$3" --format "$4" -o "$onnx"
}
for precision in float w8a8 w4a4 w2a2 w1a1; do
  case $precision in
    float) make float float float qonnx ;;
    *) make $precision "${precision:1:1}" "${precision:3:1}" qonnx ;;
  esac
  tbit=$build/models/${network}_$precision.tbit
  [[ $tbit -nt $tidbit ]] || "$tidbit" compile "$build/models/${network}_$precision.onnx" -o "$tbit" --quiet
done
make w8a8_qdq 8 8 qdq
