#!/usr/bin/env bash
# same_bytes.sh TIDBIT OTHER...: builds of the command for different machines (OTHER may be an emulator and its arguments
# before the command) compile the demo's networks into the same files, and run those, and the networks of
# ../shared/models, to the same bytes. (XNNPACK sums floats in another order on each machine.)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
(($# >= 2)) || { echo "usage: same_bytes.sh TIDBIT OTHER..." >&2; exit 2; }
here=("$1")
other=("${@:2}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

same() {  # same NETWORK WHAT ONE OTHER
  cmp "$3" "$4" || { echo "same_bytes.sh: $1: not the same $2" >&2; exit 1; }
}

run_both() {  # run_both NETWORK INPUT
  "${here[@]}" run "$work/here.tbit" --no-xnnpack --input "$2" --output "$work/here.npy" >/dev/null
  "${other[@]}" run "$work/here.tbit" --no-xnnpack --input "$2" --output "$work/other.npy" >/dev/null
  same "$1" outputs "$work/here.npy" "$work/other.npy"
  echo "$1: the same $(stat --format=%s "$work/here.npy") bytes of outputs"
}

for network in tools/demo/digits_*.onnx; do
  "${here[@]}" compile "$network" -o "$work/here.tbit" --mean 0.31 --std 0.38 --quiet
  "${other[@]}" compile "$network" -o "$work/other.tbit" --mean 0.31 --std 0.38 --quiet
  same "$network" file "$work/here.tbit" "$work/other.tbit"
  run_both "$network" tools/demo/test_images.npy
done
for directory in ../shared/models/*; do
  [[ -e $directory/model.onnx && -e $directory/inputs.npy ]] || continue
  if ! "${here[@]}" compile "$directory/model.onnx" -o "$work/here.tbit" --quiet 2>/dev/null; then
    echo "$directory: passed over, as it does not compile"
    continue
  fi
  run_both "$directory" "$directory/inputs.npy"
done
