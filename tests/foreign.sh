#!/usr/bin/env bash
# foreign.sh: shared libraries as allocators, through the command line. Needs ASSAY (the program) and ASSAY_CC (a C
# compiler); builds the libraries of tests/foreign/ in a directory of its own.

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"
unset ASAN_OPTIONS UBSAN_OPTIONS # the program brings its own, and must

# A sanitizer's runtime takes every malloc for itself, a library's calls of its own malloc included, and refuses what
# would keep them apart; so these libraries then bind their calls themselves.
bind=()
if grep -q __asan_init "$assay"; then bind=('-Wl,-Bsymbolic'); fi

# build NAME SOURCE [FLAG...]: the library NAME from tests/foreign/SOURCE.
build() {
    local name=$1 source=$2
    shift 2
    "${cc[@]}" -std=c17 -D_GNU_SOURCE -O1 -fno-builtin -fPIC -shared -I"$root/allocators" -o "$name" \
        "$root/tests/foreign/$source" "${bind[@]}" "$@" || exit 2
}

# expect STATUS TEXT ARGUMENT...: runs assay; its exit status and a piece of what it prints, literally.
expect() {
    local status=$1 text=$2 got said
    shift 2
    said=$("$assay" "$@" 2>&1)
    got=$?
    if [[ $got == "$status" && $said == *"$text"* ]]; then return; fi
    failed "assay $*" "expected $status and \"$text\"" "got $got and \"$said\""
}

check() { expect "$1" "$2" check --programs 300 --jobs 1 --out found "${@:3}"; }

build libbump.so bump.c
build libbump.so.1.2 bump.c
build libmy.so bump.c -DPREFIX=my_
build libtls.so bump.c -DSTATIC_TLS
build 'lib tls.so' bump.c -DSTATIC_TLS
build libforgets.so bump.c -DFORGETS
build libvtable.so vtable.c
build libabi.so vtable.c -DABI=99
build libalign.so vtable.c -DALIGN=24
build libhole.so vtable.c -DMALLOC=NULL
build libnone.so none.c
build libcrash.so constructor.c '-DCONSTRUCTOR=abort()'
build libexit.so constructor.c '-DCONSTRUCTOR=_Exit(0)'
build libneeded.so constructor.c '-DCONSTRUCTOR=(void)0'
build libneeds.so bump.c -Wl,--no-as-needed -L. -lneeded
rm libneeded.so
echo 'no library at all' >text.so
head -c 40 libbump.so >short.so
: >empty.so
cp libbump.so other.so # and turned into one of the other class, 32-bit or 64-bit
class=$(od -An -tu1 -j4 -N1 libbump.so)
printf '%b' "\\x0$((3 - class))" | dd of=other.so bs=1 seek=4 conv=notrunc status=none
ln -s 'lib tls.so' liblink.so

# What works: by path, by name in the current directory, with a version, with a prefix, preloaded, as a vtable.
check 0 '' "$work/libbump.so"
check 0 '' libbump.so
check 0 '' libbump.so.1.2
check 0 '' ./libmy.so --prefix my_
check 0 '' ./libtls.so
check 0 '' ./liblink.so
check 0 '' ./libvtable.so
check 1 'A15' ./libforgets.so

# What does not, in one line that says why.
check 2 'exports no malloc (looked for malloc and free); try --prefix my_' ./libmy.so
check 2 'exports no je_malloc (looked for je_malloc and je_free); try no --prefix' ./libbump.so --prefix je_
check 2 'exports no malloc (looked for malloc and free); nothing in it looks like an allocator' ./libnone.so
check 2 'assay_allocator: abi: 99, but this program has 1' ./libabi.so
check 2 'assay_allocator: contract.align_min: not a power of two' ./libalign.so
check 2 'assay_allocator: malloc: missing' ./libhole.so
check 2 'exports no my_malloc' ./libvtable.so --prefix my_
check 2 'crashes while it is loaded (Aborted)' ./libcrash.so
check 2 'ends the process while it is loaded (exit status 0)' ./libexit.so
check 2 'needs libneeded.so, which is not found' ./libneeds.so
check 2 'LD_PRELOAD takes no path with a space or a colon' './lib tls.so'
check 2 'no such file' ./libabsent.so
check 2 'not a shared library (no ELF file)' ./text.so
check 2 '-bit library; this program is' ./other.so
check 2 'not a shared library (cut short)' ./short.so
check 2 'not a shared library (no file with contents)' ./empty.so
check 2 'not a shared library (no file with contents)' ./
check 2 '--prefix is for the names in a shared library' libc --prefix my_
check 2 'did you mean libc' libcc
if [[ $(id -u) != 0 ]]; then
    chmod 0 libmy.so
    check 2 'Permission denied' ./libmy.so --prefix my_
fi

finish 'all as expected'
