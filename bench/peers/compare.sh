#!/usr/bin/env bash
# Times Tidbit and ONNX Runtime on the same networks, interleaved, and prints one table (Markdown).
#   bench/peers/compare.sh [NETWORK...]    default: resnet18
# ONNX Runtime comes from npm, into the build folder. ROUNDS, THREADS="1 2" and BUILD=build/release may be set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=$(realpath "${BUILD:-build/release}")
tidbit=$build/tools/tidbit
[[ -x $tidbit ]] || { echo "compare.sh: $tidbit is missing: run 'cmake --build --preset release' first" >&2; exit 1; }
command -v node npm >/dev/null || { echo "compare.sh: needs node and npm: run 'apt-get install npm'" >&2; exit 1; }

peers=$build/peers
mkdir -p "$peers"
cp bench/peers/package.json bench/peers/compare.mjs "$peers"
# The scripts of the package fetch GPU libraries, which nobody needs here.
npm install --prefix "$peers" --ignore-scripts --no-audit --no-fund --silent
for network in "${@:-resnet18}"; do
  bench/make_models.sh "$network"
  node "$peers/compare.mjs" "$tidbit" "$build/models" "$network" "${ROUNDS:-9}" ${THREADS:-1 2}
done
