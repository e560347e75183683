/* test_payload_narrow.c: test_payload.c again, with the narrow vectors that a processor without AVX2 is left with. */
#define PAYLOAD_WIDEST 16
#include "payload.c"

#include "test_payload.c"
