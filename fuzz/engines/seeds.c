/* seeds.c: assay_seeds, which writes what a fuzzing campaign may begin with.
 *
 *     assay_seeds ALLOC COUNT FOLDER          that many generated programs for it, as bytes, a file each
 *     assay_seeds --text ALLOC COUNT FOLDER   as text
 *     assay_seeds --dictionary                the words of all forms, as a dictionary of libFuzzer and AFL++
 */
#include "encode.h"
#include "generator.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED 1u

static int complain(const char *text)
{
    fprintf(stderr, "assay_seeds: %s\n", text);
    return 2;
}

/* ---- The dictionary ---------------------------------------------------------------------------------------------------- */

#define WORDS_MAX 512u

static struct {
    const char *words[WORDS_MAX];
    unsigned count;
} printed;

/* Each word once; nothing in them needs to be escaped. */
static void print_word(const char *word)
{
    for (unsigned i = 0; i < printed.count; i++)
        if (strcmp(printed.words[i], word) == 0) return;
    if (!*word || printed.count == WORDS_MAX) return;
    printed.words[printed.count++] = word;
    printf("\"%s\"\n", word);
}

static void print_words(const char *const *words, uint64_t count)
{
    for (uint64_t i = 0; words && i < count; i++) print_word(words[i]);
}

static void print_operand(const struct operand_shape *o)
{
    if (o->lead) print_word(o->lead);
    if (o->form == OPERAND_WORD) print_words(o->words, o->limit);
}

static int dictionary(void)
{
    static char gfp[32][64];
    puts("# The words of programs: written by `assay_seeds --dictionary`.");
    print_word(PROGRAM_MAGIC);
    print_word(SWARM_KERNEL);
    print_word("assay 1");
    print_word("heap");
    for (unsigned key = 0; key < HEAP_KEYS; key++) {
        print_word(heap_key_shapes[key].name);
        print_words(heap_key_shapes[key].words, heap_key_shapes[key].max - heap_key_shapes[key].min + 1);
    }
    for (unsigned kind = 0; kind < OP_KINDS; kind++) {
        print_word(op_shapes[kind].name);
        print_operand(&op_shapes[kind].a);
        print_operand(&op_shapes[kind].b);
    }
    print_words(size_words, SIZE_KINDS);
    print_word("step");
    print_word("gfp");
    for (unsigned bit = 0; bit < 32; bit++) {
        program_print_gfp(UINT32_C(1) << bit, gfp[bit], sizeof gfp[bit]);
        print_word(gfp[bit]);
    }
    return fflush(stdout) || ferror(stdout) ? complain("cannot write") : 0;
}

/* ---- Programs ------------------------------------------------------------------------------------------------------------ */

static int write_seeds(const char *allocator, unsigned long count, const char *folder, bool as_text)
{
    static struct target target;
    static struct generator generator;
    static struct program program;
    static unsigned char bytes[GENERATOR_BYTES_MAX];
    static char text[PROGRAM_OPS_MAX * 512], path[4200], error[4400];
    if (target_resolve(&target, allocator, NULL, NULL, error, sizeof error)) return complain(error);
    if (store_open(folder, error, sizeof error)) return complain(error);
    generator_init(&generator, &target, SEED);
    for (unsigned long i = 0; i < count; i++) {
        size_t length = generator_bytes(&generator, i, bytes);
        const char *from = (const char *)bytes;
        generator_fit(&generator, bytes, length);
        if (as_text) {
            generator_decode(&generator, bytes, length, &program);
            length = program_print(&program, text, sizeof text);
            from = text;
        }
        snprintf(path, sizeof path, "%s/seed-%06lu%s", folder, i, as_text ? ".ops" : ".bin");
        if (store_text(path, from, length, error, sizeof error)) return complain(error);
    }
    return 0;
}

int main(int argc, char **argv)
{
    char *end;
    if (argc == 2 && strcmp(argv[1], "--dictionary") == 0) return dictionary();
    const bool as_text = argc > 1 && strcmp(argv[1], "--text") == 0;
    if (argc - as_text != 4) return complain("usage: assay_seeds [--text] ALLOC COUNT FOLDER | --dictionary");
    const unsigned long count = strtoul(argv[2 + as_text], &end, 10);
    if (*end || !count || count > 1000000) return complain("COUNT is a number from 1 to 1000000");
    return write_seeds(argv[1 + as_text], count, argv[3 + as_text], as_text);
}
