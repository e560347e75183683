/* seeds.c: assay_seeds, which writes what a fuzzing campaign may begin with.
 *
 *     assay_seeds ALLOC COUNT FOLDER          that many generated programs for it, as bytes, a file each
 *     assay_seeds --text ALLOC COUNT FOLDER   as text
 *     assay_seeds --dictionary                the words of all forms, as a dictionary of libFuzzer and AFL++
 */
#include "encode.h"
#include "generator.h"
#include "kernel.h"
#include "store.h"

#include <ctype.h>
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
#define WORD_BYTES 32u

static struct {
    char words[WORDS_MAX][WORD_BYTES];
    unsigned count;
} printed;

/* Each word once. */
static void print_word(const char *from, size_t length)
{
    char word[WORD_BYTES];
    if (!length || length >= sizeof word || printed.count == WORDS_MAX) return;
    memcpy(word, from, length);
    word[length] = '\0';
    for (unsigned i = 0; i < printed.count; i++)
        if (strcmp(printed.words[i], word) == 0) return;
    memcpy(printed.words[printed.count++], word, sizeof word);
    printf("\"%s\"\n", word);
}

/* The words in a text: letters, and what may follow one. */
static void print_words(const char *text)
{
    while (*text) {
        size_t length = 0;
        while (isalpha((unsigned char)*text) && (isalnum((unsigned char)text[length]) || text[length] == '_')) length++;
        print_word(text, length);
        text += length ? length : 1;
    }
}

static void print_choices(const char *const *words, uint64_t count)
{
    for (uint64_t i = 0; words && i < count; i++) print_words(words[i]);
}

static void print_operand(const struct operand_shape *o)
{
    if (o->lead) print_words(o->lead);
    if (o->form == OPERAND_WORD) print_choices(o->words, o->limit);
}

static void print_op(struct op op)
{
    char text[512];
    program_print_op(&op, text, sizeof text);
    print_words(text);
}

/* What no table has: read off operations that say it. */
static void print_kernel_words(void)
{
    static const uint32_t masks[] = {GFP_HIGHUSER_MOVABLE, GFP_HIGHUSER, GFP_USER, GFP_KERNEL, GFP_NOFS, GFP_NOIO,
                                     GFP_ATOMIC,           GFP_NOWAIT};
    print_op((struct op){.kind = OP_CACHE_CREATE, .count = 1, .b = PROGRAM_CACHE_ARGS(64, 8, 0x1ff, true)});
    print_op((struct op){.kind = OP_CACHE_FREE_BULK, .count = 1, .a = PROGRAM_CACHES, .b = 1});
    for (unsigned kind = 0; kind < 3; kind++)
        print_op((struct op){.kind = OP_POOL_CREATE, .count = 1, .b = PROGRAM_POOL_ARGS(kind, 1, 1)});
    for (unsigned i = 0; i < sizeof masks / sizeof *masks; i++)
        print_op((struct op){.kind = OP_ALLOC_PAGES, .count = 1, .gfp = masks[i]});
    for (unsigned bit = 0; bit < 32; bit++)
        print_op((struct op){.kind = OP_ALLOC_PAGES, .count = 1, .gfp = UINT32_C(1) << bit});
}

static int dictionary(void)
{
    puts("# The words of programs: written by `assay_seeds --dictionary`.");
    print_words(PROGRAM_MAGIC " " SWARM_KERNEL " heap step");
    print_word("assay 1", strlen("assay 1"));
    for (unsigned key = 0; key < HEAP_KEYS; key++) {
        const struct heap_key_shape *k = &heap_key_shapes[key];
        print_words(k->name);
        print_choices(k->words, k->max - k->min + 1);
    }
    for (unsigned kind = 0; kind < OP_KINDS; kind++) {
        print_words(op_shapes[kind].name);
        print_operand(&op_shapes[kind].a);
        print_operand(&op_shapes[kind].b);
    }
    print_choices(size_words, SIZE_KINDS);
    print_kernel_words();
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
