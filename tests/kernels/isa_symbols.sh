#!/bin/sh
# isa_symbols.sh NM OBJECT...: each ISA file's object has one global symbol, its table, and no weak one. A weak symbol is
# an inline function that other files share: the linker keeps one copy, perhaps the one built for AVX-512.
set -eu
nm=$1
shift
checked=0 failed=0
for object; do
  case ${object##*/} in
    *scalar.cc.o | *avx2.cc.o | *avxvnni.cc.o | *avx512.cc.o | *avx512vnni.cc.o | *amx.cc.o | *neon.cc.o | \
      *neondot.cc.o | *neoni8mm.cc.o) ;;
    *) continue ;;
  esac
  checked=$((checked + 1))
  symbols=$("$nm" -C --defined-only "$object")
  global=$(printf '%s\n' "$symbols" | grep -c ' [ABCDGRST] ' || true)
  weak=$(printf '%s\n' "$symbols" | grep ' [VWuvw] ' || true)
  if [ "$global" -ne 1 ] || [ -n "$weak" ]; then
    printf '%s: %s global symbols, weak: %s\n' "$object" "$global" "${weak:-none}" >&2
    failed=1
  fi
done
if [ "$checked" -lt 3 ]; then
  echo "only $checked ISA objects among $#" >&2
  exit 1
fi
exit $failed
