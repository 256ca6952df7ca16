#!/usr/bin/env bash
# Gathers the root of the container image: an installed Bitplex, the shared objects that it loads, and
# little else. Debian 12, as root; runs in the build stage of the Dockerfile.
#
#   deploy/image_root.sh PREFIX ROOT
#
#   PREFIX  where `cmake --install` put Bitplex; it lies at the same path in the image
#   ROOT    the folder to fill; must not exist
#
# Every Debian package that a file comes from leaves its record (var/lib/dpkg/status.d, where scanners
# look for it) and its licence (usr/share/doc). All files get the time of SOURCE_DATE_EPOCH, 0 unless set.
set -euo pipefail

die() {
  printf 'image_root.sh: %s\n' "$*" >&2
  exit 1
}

[[ $# -eq 2 ]] || die "two arguments: the installed folder and the new root"
prefix=$(realpath "$1")
readonly prefix root=$2
readonly epoch=${SOURCE_DATE_EPOCH:-0}
[[ -x $prefix/bin/bitplex-server ]] || die "no bin/bitplex-server in $prefix; run cmake --install --prefix $prefix first"
[[ ! -e $root ]] || die "$root is there already; remove it, or name another folder"
umask 022

# What a package calls a file may have lost, or kept, the /usr that the file system gives it.
owner_of() {
  local file=$1 owner
  owner=$(dpkg-query --search "$file" 2> /dev/null || dpkg-query --search "${file#/usr}" 2> /dev/null) ||
    die "no Debian package owns $file; build in a container of Debian's packages alone"
  owner=${owner%%:*}
  printf '%s\n' "${owner%%,*}"
}

mkdir -p "$root"/{etc,tmp,usr/lib,usr/lib64,var/lib/dpkg/status.d,"${prefix#/}"}
chmod 1777 "$root/tmp"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
cp -a "$prefix/." "$root/$prefix"

# ldd names what is linked; executors are modules, and linked too. What libraries open by name at run
# time (GPUs' drivers, allocators, engines) is for machines that have it, and is not taken.
objects=("$prefix"/bin/* "$prefix"/lib/bitplex/*.so)
libraries=$(ldd "${objects[@]}") || die "ldd failed"
if grep -q 'not found' <<< "$libraries"; then
  die "not all libraries are here: $(grep 'not found' <<< "$libraries" | sort -u)"
fi
mapfile -t libraries < <(grep -o '/[^ ]* (0x' <<< "$libraries" | cut -d' ' -f1 | LC_ALL=C sort -u)

owners=(base-files)
cp -L /etc/os-release "$root/etc/"
for library in "${libraries[@]}"; do
  mkdir -p "$root${library%/*}"
  cp -L "$library" "$root$library"
  owners+=("$(owner_of "$(realpath "$library")")")
done

mapfile -t owners < <(printf '%s\n' "${owners[@]}" | LC_ALL=C sort -u)
for owner in "${owners[@]}"; do
  dpkg-query --status "$owner" > "$root/var/lib/dpkg/status.d/$owner"
  mkdir -p "$root/usr/share/doc/$owner"
  cp -L "/usr/share/doc/$owner/copyright" "$root/usr/share/doc/$owner/"
done

printf '%s\n' root:x:0:0:root:/:/nonexistent bitplex:x:10001:10001:bitplex:/:/nonexistent > "$root/etc/passwd"
printf '%s\n' root:x:0: bitplex:x:10001: > "$root/etc/group"
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"

find "$root" -exec touch --no-dereference --date "@$epoch" {} +
echo "${#libraries[@]} shared objects of ${#owners[@]} packages, $(du -sx --apparent-size -B1 "$root" | cut -f1) bytes in all."
