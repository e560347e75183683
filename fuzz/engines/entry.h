/* entry.h: between the source of a fuzz target and the engine that drives it.
 *
 * A target has libFuzzer's two entry points, which every engine can call. target_fit is its third, for mutators.
 */
#ifndef ENTRY_H
#define ENTRY_H

#include <stddef.h>
#include <stdint.h>

/* Once, before all else: opens what is under test. Ends the process with status 2 and a line on standard error if it
 * cannot. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
/* Runs one input: 0; or does not return. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Writes over what would waste the input on this target, without changing its length (generator_fit). */
void target_fit(unsigned char *bytes, size_t length);

#endif
