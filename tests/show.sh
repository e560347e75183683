#!/usr/bin/env bash
# show.sh: what `assay show` prints of a run: the program with its results, still a program; the heap, or the machine with
# its zones, orders and mappings; pages that are well-formed; and what it refuses. Needs ASSAY (the program).

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

# shows WHAT ARGUMENT…: `assay show ARGUMENT…` succeeds and prints what stands on the standard input.
shows() {
    cat >wanted
    "$assay" show "${@:2}" >seen 2>err || failed "$1: exit status $?: $(<err)"
    if ! cmp -s wanted seen; then
        failed "$1:" "$(diff wanted seen)"
    fi
}

# refused MESSAGE ARGUMENT…: `assay show ARGUMENT…` says so in one line, prints nothing, and ends with 2.
refused() {
    "$assay" show "${@:2}" >seen 2>err
    local status=$?
    if [[ $status -ne 2 || -s seen || $(wc -l <err) -ne 1 ]] || ! grep -qF -- "$1" err; then
        failed "show ${*:2}: exit status $status: $(<err)"
    fi
}

# page FILE: well-formed, with every element closed.
page() {
    python3 - "$1" <<'PYTHON' || failed "$1 is no well-formed page"
import html.parser, sys

class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []
    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"): self.open.append(tag)
    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag: sys.exit(f"line {self.getpos()[0]}: </{tag}>")

page = Page()
page.feed(open(sys.argv[1], encoding="utf-8").read())
page.close()
if page.open: sys.exit(f"not closed: {page.open}")
PYTHON
}

# ---- Fragmentation: three quarters of the frames are free, and no two of them lie side by side in a block of four.

cat >fragmented.ops <<'OPS'
assay 1
heap machine=s4
p0..p63 = alloc_pages 0 gfp KERNEL
free_pages p1..p61/4
free_pages p2..p62/4
free_pages p3..p63/4
p64 = alloc_pages 2 gfp KERNEL|NOWARN
OPS

shows 'a fragmented machine' fragmented.ops <<'TEXT'
assay 1
heap size=8192 machine=s4
p0..p63 = alloc_pages 0 gfp KERNEL     # -> frame 0 … frame 63: 64 blocks
free_pages p1..p61/4                   # -> done, was frame 1 … done, was frame 61: 16 done
free_pages p2..p62/4                   # -> done, was frame 2 … done, was frame 62: 16 done
free_pages p3..p63/4                   # -> done, was frame 3 … done, was frame 63: 16 done
p64 = alloc_pages 2 gfp KERNEL|NOWARN  # -> NULL

# PASS buddy
#
# s4: 64 frames of 4096 bytes
#   normal: frames 0 to 63, 48 free, the largest block of order 1
#     order      0     1     2     3     4
#     blocks    16    16     0     0     0
#     48 frames are free, but no block of order 2 or larger
#        0  a...b...c...d...e...f...g...h...i...j...k...l...m...n...o...p...
#   (a p0, b p4, c p8, d p12, e p16, f p20, g p24, h p28,
#    i p32, j p36, k p40, l p44, m p48, n p52, o p56, p p60,
#    . free)
TEXT
cp seen again.ops
shows 'what was shown is a program' again.ops <seen

# ---- The window: an area page by page, a second view of frames, what is lazy, a guard.

cat >mapped.ops <<'OPS'
assay 1
heap machine=s4 scatter=yes
p0 = alloc_pages 1 gfp KERNEL
p1 = vmalloc 9000
p2 = vmalloc 4096
p3 = vmap p0 reverse
vfree p2
p4 = kmalloc 0 gfp KERNEL
OPS

"$assay" show mapped.ops >seen || failed 'a program of areas does not run'
for line in 'p1 = vmalloc 9000 .*window page 0' 'p4 = kmalloc 0 .*ZERO_SIZE_PTR' 'PASS vmalloc' 'areas scattered' \
    'vmalloc window: 96 pages, 5 mapped' '       0  \(.\)\1\1|~~\(.\)\2|\.' 'p1: pages 0-2 -> frames [0-9]' \
    "p3: pages 6-7 -> frames, another slot's: 1 0" 'page table of pages 0-511: frame' '| guard, ~ lazy'; do
    grep -q -- "$line" seen || failed "a program of areas: no line with '$line'"
done
! grep -q '18446744073709551615' seen || failed 'an offset that is none is printed'

printf '%s\n' 'assay 1' 'heap machine=s64' 'p0 = vmalloc 4198400' >array.ops # whose pointers fill more than a page
"$assay" show array.ops >seen || failed 'an area of 1025 pages does not run'
grep -Eq ' 8192  A{2,3}a' seen || failed 'the frames of an array of pages are taken for a slab'

# ---- The heap of a family without a machine.

cat >heap.ops <<'OPS'
assay 1
p0..p3 = malloc 24
free p0..p2/2
OPS

shows 'a heap' heap.ops --on freelist <<'TEXT'
assay 1
heap size=8192
p0..p3 = malloc 24  # -> +0x10 (32 usable), +0x40 (32 usable), +0x70 (32 usable), +0xa0 (32 usable)
free p0..p2/2       # -> done, was +0x10, done, was +0x70

# PASS freelist
#
#     +0x40                                           +0xa0
#     p1                                              p3
#     ############....................................############....
#     (a column is 2 bytes: # payload, . free or slack, X in two blocks; 8192 bytes in all)
TEXT
shows 'no run without being asked to' heap.ops <<'TEXT'
assay 1
heap size=8192
p0..p3 = malloc 24
free p0..p2/2
TEXT

# ---- A rule that breaks is shown, and told by the exit status.

"$assay" show heap.ops --on broken/free_scribbles >seen
[[ $? -eq 1 ]] || failed 'a broken rule is not told by the exit status'
grep -q '^# FAIL broken/free_scribbles: ' seen || failed 'a broken rule is not shown'
grep -q '^# C10 broken here, at the end' seen || failed 'where a rule broke is not shown'
printf '%s\n' 'assay 1' 'heap machine=s4' 'p0..p1 = alloc_pages 3 gfp KERNEL' 'free_pages p1' >order3.ops
"$assay" show order3.ops --on broken/free_loses_frame >seen
[[ $? -eq 1 ]] || failed 'a rule broken on a machine is not told by the exit status'
grep -q '^free_pages p1.*C25 broken here$' seen || failed 'the line that breaks a rule is not marked'

# ---- Pages.

for program in fragmented mapped; do
    "$assay" show "$program.ops" --as html -o "$program.html" || failed "$program: no page"
    page "$program.html"
    grep -q '<h2>The machine</h2>' "$program.html" || failed "$program: no machine in the page"
done
grep -q '48 frames are free, but no block of order 2' fragmented.html || failed 'the page does not tell of fragmentation'
"$assay" show heap.ops --as html --on freelist -o run.html || failed 'no page of a run'
page run.html
grep -q 'downwards are the addresses' run.html || failed 'the page of a run has no addresses'
"$assay" show heap.ops --as html -o asked.html || failed 'no page without a run'
page asked.html
grep -q 'This is no run' asked.html || failed 'the page without a run does not say so'
! grep -q 'host heap' asked.html || failed 'the page without a run speaks of a host heap'
[[ -z $(grep -o '<line class="grid"[^>]*>' asked.html | sort | uniq -d) ]] || failed 'the page draws a line twice'

# ---- What cannot be.

refused 'no C program can be written of kernel operations' fragmented.ops --as c
refused "did you mean buddy" fragmented.ops --on budy
refused 'a C program is written without a run' heap.ops --as c --on freelist
refused '--prefix needs --on' heap.ops --prefix je_
refused 'absent.so: no such file' heap.ops --on ./absent.so

finish 'all of it is shown'
