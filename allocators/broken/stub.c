#include "broken.h"
const struct canary broken_heap[] = {{0}}, broken_kin[] = {{0}};
