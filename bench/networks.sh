#!/usr/bin/env bash
# Times whole networks against themselves at 8 bits, interleaved, and prints one table (Markdown).
#   bench/networks.sh [NETWORK:PRECISION,...]...    default: those of bench/README.md
# Others are compared with a network's first precision. ROUNDS, THREADS and BUILD=build/release may be set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${BUILD:-build/release}
default=(resnet18:w8a8,w4a4,w2a2,w1a1 resnet50:w8a8,w2a2 vgg16:w8a8,w2a2 unet:w8a8,w4a6 mobilenetv1:w8a8,w4a4
         pfjet_ssd:w8a8,w2a8)
header=4  # lines before the rows
skip=1
for entry in "${@:-${default[@]}}"; do
  network=${entry%%:*}
  IFS=, read -ra precisions <<< "${entry#*:}"
  bench/make_models.sh "$network" "${precisions[@]}"
  models=("${precisions[@]/%/.tbit}")
  "$build/bench/model_bench" --threads "${THREADS:-1}" --rounds "${ROUNDS:-9}" \
    "${models[@]/#/$build/models/${network}_}" | tail -n "+$skip"
  skip=$((header + 1))
done
