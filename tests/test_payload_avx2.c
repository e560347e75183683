/* test_payload_avx2.c: test_payload.c again, with the vectors that a processor without AVX-512 is left with. */
#define PAYLOAD_WIDEST 32
#include "payload.c"

#include "test_payload.c"
