#!/usr/bin/env bash
# Unpacks what a cross build links, Debian's own packages of another architecture, into build/sysroot/ARCH:
#   tools/make_sysroot.sh arm64    for the preset aarch64-linux-gnu
#   tools/make_sysroot.sh armhf    for the preset arm-linux-gnueabihf
# apt works on a state of its own, so that neither the host's packages nor its lists change, and needs no root. The
# sysroot is made beside its place and moved there when it is whole; one that is there already is replaced.
set -euo pipefail

release=bookworm
mirror=http://deb.debian.org/debian
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
packages=(
  libc6-dev libstdc++6
  libflatbuffers-dev libcpuinfo-dev libpthreadpool-dev libxnnpack-dev
  libonnx-dev libprotobuf-dev libfmt-dev
  libcli11-dev nlohmann-json3-dev libstb-dev
  libgtest-dev libgmock-dev libbenchmark-dev
)

fail() {  # fail MESSAGE [EXIT_CODE]
  echo "make_sysroot.sh: $1" >&2
  exit "${2:-1}"
}

arch=${1:-}
[[ $# -eq 1 ]] || fail "wants one argument, arm64 or armhf" 2
[[ $arch == arm64 || $arch == armhf ]] || fail "unknown architecture '$arch': give arm64 or armhf" 2
command -v apt-get dpkg-deb >/dev/null || fail "needs apt-get and dpkg-deb, of Debian or a system derived from it"
[[ -r $keyring ]] || fail "$keyring not found: apt-get install debian-archive-keyring"

cd "$(dirname "${BASH_SOURCE[0]}")/.."
sysroot=build/sysroot/$arch
mkdir -p build/sysroot
work=$(mktemp -d "$PWD/build/sysroot/.$arch.XXXXXX")
trap 'rm -rf "$work"' EXIT
log=$work/log

mkdir -p "$work"/{state/lists/partial,cache/archives/partial,root}
: >"$work/status"
echo "deb [signed-by=$keyring] $mirror $release main" >"$work/sources.list"
{
  cat <<CONF
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Dir::State "$work/state";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "/dev/null";
CONF
  apt-config dump | grep -i '^Acquire::.*proxy' || true
} >"$work/apt.conf"
export APT_CONFIG=$work/apt.conf

echo "Reading the packages of Debian $release for $arch"
apt-get -q -o APT::Update::Error-Mode=any update >"$log" 2>&1 || fail "cannot read $mirror: $(grep -m1 '^E:' "$log")"
for package in "${packages[@]}"; do
  apt-cache show "$package" >/dev/null 2>&1 || fail "Debian $release has no package $package for $arch"
done

echo "Downloading ${#packages[@]} packages and what they depend on"
apt-get -q -y --download-only install "${packages[@]}" >"$log" 2>&1 || fail "download failed: $(grep -m1 '^E:' "$log")"

echo "Unpacking $(du -sh "$work/cache/archives" | cut -f1)"
for archive in "$work"/cache/archives/*.deb; do
  dpkg-deb --extract "$archive" "$work/root" || fail "cannot unpack ${archive##*/}"
done
# Links to /lib/... mean the sysroot's, not the host's.
find "$work/root" -type l -lname '/*' | while read -r link; do
  ln --symbolic --relative --no-target-directory --force "$work/root$(readlink "$link")" "$link"
done

rm -rf "$sysroot"
mv "$work/root" "$sysroot"
echo "Made $sysroot ($(du -sh "$sysroot" | cut -f1))"
