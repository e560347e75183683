/* page.c: a program as an HTML page (page.h is the manual): the program with its results, and a chart of the blocks'
 * lives, time from left to right (one step an event) and addresses from top to bottom. On a machine, the machine is below
 * it (page_machine.c), and blocks that are not all in the direct map are drawn by slot.
 *
 * Lives are found in one pass over the events: a block opens when a call returns it and closes when its slot is freed
 * or reallocated, when its frame is popped, when a round begins anew, or when the trace ends.
 */
#include "page.h"

#include "page_machine.h"
#include "report_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHART_WIDTH 1000.0
#define CHART_HEIGHT 420.0
#define CHART_LEFT 80.0
#define CLOSED UINT32_MAX
#define LIVES (2 * PROGRAM_SLOTS) /* the slots of the kernel group are others than those of the malloc family */

struct life {
    uint32_t opened; /* event that returned the block, or CLOSED */
    uint32_t frame;  /* depth of frames at that moment */
};

struct chart {
    FILE *out;
    const struct trace *trace;
    uint32_t events; /* of the trace's, those that are drawn */
    bool by_slot;
    uint64_t low, high; /* what the height spans: offsets, or slots */
    uint32_t frame;
    struct life lives[LIVES];
};

static double x_of(const struct chart *c, uint32_t event)
{
    return CHART_LEFT + CHART_WIDTH * event / (c->events > 0 ? c->events : 1);
}

static double y_of(const struct chart *c, uint64_t place)
{
    return CHART_HEIGHT * (double)(place - c->low) / (double)(c->high - c->low);
}

static unsigned life_of(const struct event *e) { return e->slot + (e->kind < OP_KERNEL_FIRST ? 0 : PROGRAM_SLOTS); }

/* Bytes asked for; 0 where the operation does not say. */
static uint64_t requested(const struct chart *c, const struct event *e)
{
    const uint64_t page = c->trace->machine.page_bytes;
    switch ((enum op_kind)e->kind) {
    case OP_ALLOC_PAGES:
    case OP_GET_FREE_PAGES: return e->size < MACHINE_ORDERS ? page << e->size : 0;
    case OP_GET_ZEROED_PAGE: return page;
    case OP_ALLOC_PAGES_BULK: return page; /* the first of them: the others are anywhere */
    case OP_CACHE_ALLOC:
    case OP_CACHE_ZALLOC:
    case OP_VMAP:
    case OP_POOL_ALLOC: return 0;
    case OP_CALLOC:
    case OP_REALLOCARRAY:
    case OP_KCALLOC:
    case OP_KMALLOC_ARRAY:
    case OP_KREALLOC_ARRAY:
    case OP_KVCALLOC: return e->size * e->size2;
    default: return e->size;
    }
}

/* How many rows of the chart's height a block takes: its usable bytes, or the one slot. */
static uint64_t height_of(const struct chart *c, const struct event *e)
{
    if (c->by_slot) return 1;
    uint64_t bytes = requested(c, e) > e->usable ? requested(c, e) : e->usable;
    return bytes > 0 ? bytes : 1;
}

static uint64_t place_of(const struct chart *c, const struct event *e) { return c->by_slot ? e->slot : e->offset; }

static bool drawable(const struct chart *c, const struct event *e)
{
    bool view = e->kind >= OP_FREE_PAGES && e->kind <= OP_DROPPABLE && e->kind >= OP_KERNEL_FIRST;
    return !view && e->result == RESULT_PTR && e->slot < PROGRAM_SLOTS && (c->by_slot || e->offset <= PROGRAM_HEAP_MAX);
}

/* What is drawn spans the places that blocks took, not the whole of the memory lent. */
static void measure(struct chart *c)
{
    const struct machine_picture *m = &c->trace->machine;
    c->by_slot = c->trace->heap_size == 0;
    for (uint32_t i = 0; m->frames && i < c->events && !c->by_slot; i++) {
        const struct event *e = &c->trace->events[i];
        c->by_slot = drawable(c, e) && e->offset >= (uint64_t)m->lowmem_frames * m->page_bytes;
    }
    c->low = UINT64_MAX;
    for (uint32_t i = 0; i < c->events; i++) {
        const struct event *e = &c->trace->events[i];
        if (!drawable(c, e)) continue;
        uint64_t from = place_of(c, e), to = from + height_of(c, e);
        if (!c->by_slot && to > c->trace->heap_size && from < c->trace->heap_size) to = c->trace->heap_size;
        if (from < c->low) c->low = from;
        if (to > c->high) c->high = to;
    }
    if (c->low >= c->high) c->low = 0, c->high = 1;
}

static void draw_life(struct chart *c, unsigned life_number, uint32_t closed)
{
    struct life *life = &c->lives[life_number];
    const unsigned slot = life_number % PROGRAM_SLOTS;
    if (life->opened == CLOSED) return;
    const struct event *e = &c->trace->events[life->opened];
    double x = x_of(c, life->opened), y = y_of(c, place_of(c, e));
    double width = x_of(c, closed) - x, height = CHART_HEIGHT * (double)height_of(c, e) / (double)(c->high - c->low);
    char offset[32] = "";

    if (y + height > CHART_HEIGHT) height = CHART_HEIGHT - y;
    if (e->offset != OFFSET_NONE) report_offset(e->offset, offset, sizeof offset);
    fprintf(c->out, "<rect class=\"b%u\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">", slot % 6, x, y,
            width < 1 ? 1 : width, height < 1 ? 1 : height);
    fprintf(c->out, "<title>p%u%s%s", slot, offset[0] != '\0' ? " " : "", offset);
    if (requested(c, e) > 0) fprintf(c->out, ": %llu bytes", (unsigned long long)requested(c, e));
    if (e->usable > 0) fprintf(c->out, " (%llu usable)", (unsigned long long)e->usable);
    fprintf(c->out, ", operation %u</title></rect>\n", (unsigned)e->op + 1);
    life->opened = CLOSED;
}

static bool ends_block(const struct event *e)
{
    switch ((enum op_kind)e->kind) {
    case OP_FREE:
    case OP_FREE_SIZED:
    case OP_FREE_ALIGNED_SIZED:
    case OP_MUNMAP:
    case OP_FREE_PAGES:
    case OP_CACHE_FREE:
    case OP_KFREE:
    case OP_KFREE_SENSITIVE:
    case OP_VFREE:
    case OP_VFREE_ATOMIC:
    case OP_VUNMAP:
    case OP_KVFREE:
    case OP_POOL_FREE: return true;
    default: return false;
    }
}

static void draw_event(struct chart *c, uint32_t i)
{
    const struct event *e = &c->trace->events[i];
    if (i > 0 && c->trace->events[i - 1].round != e->round)
        for (unsigned life = 0; life < LIVES; life++) draw_life(c, life, i);
    if (e->kind == OP_FRAME_PUSH && e->result == RESULT_VOID) c->frame++;
    if (e->kind == OP_FRAME_POP && e->result == RESULT_VOID && c->frame > 0) {
        for (unsigned slot = 0; slot < PROGRAM_SLOTS; slot++)
            if (c->lives[slot].frame == c->frame) draw_life(c, slot, i);
        c->frame--;
    }
    if (e->slot >= PROGRAM_SLOTS) return;
    if (ends_block(e) && e->result == RESULT_VOID) draw_life(c, life_of(e), i);
    if (!drawable(c, e)) return;
    draw_life(c, life_of(e), i); /* realloc gives a new block for the old one */
    c->lives[life_of(e)] = (struct life){.opened = i, .frame = c->frame};
}

static void draw_axis(struct chart *c)
{
    char label[32];
    for (uint64_t i = 0, place = 0, before = UINT64_MAX; i <= 4; i++, before = place) {
        place = c->low + (c->high - c->low) * i / 4;
        if (place == before) continue; /* fewer places than lines */
        double y = y_of(c, place);
        if (c->by_slot) snprintf(label, sizeof label, "p%llu", (unsigned long long)place);
        else report_offset(place, label, sizeof label);
        fprintf(c->out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", CHART_LEFT, y,
                CHART_LEFT + CHART_WIDTH, y);
        fprintf(c->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", CHART_LEFT - 6, y + 4, label);
    }
    fprintf(c->out, "<text x=\"%.1f\" y=\"%.1f\">call %llu</text>", CHART_LEFT, CHART_HEIGHT + 18,
            (unsigned long long)c->trace->events_dropped + 1);
    fprintf(c->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">call %llu</text>\n", CHART_LEFT + CHART_WIDTH,
            CHART_HEIGHT + 18, (unsigned long long)c->trace->events_dropped + c->events);
}

/* The run stops where the rule breaks: at the last event, or behind it if the call did not return. */
static void draw_failure(struct chart *c, const struct verdict *verdict)
{
    uint32_t last = c->events - 1;
    double x = x_of(c, c->trace->events[last].op == verdict->op ? last : last + 1);
    fprintf(c->out, "<line class=\"fault\" x1=\"%.1f\" y1=\"0\" x2=\"%.1f\" y2=\"%.1f\">", x, x, CHART_HEIGHT);
    fputs("<title>here the rule is broken</title></line>\n", c->out);
    uint64_t at = c->trace->fault_offset;
    if (!c->by_slot && at >= c->low && at < c->high)
        fprintf(c->out, "<circle class=\"fault\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n", x, y_of(c, at));
}

/* ---- Without a run ----------------------------------------------------------------------------------------------- */

/* One operation's calls, as if each had succeeded on a host heap; `live` says which slots hold a block. */
static void imagine_op(struct trace *t, const struct program *p, uint32_t op, bool live[PROGRAM_SLOTS])
{
    const struct op *o = &p->ops[op];
    for (uint32_t i = 0; i < o->count && t->event_count < TRACE_EVENTS_MAX; i++) {
        unsigned slot = (unsigned)((int)o->slot + (int)i * o->stride) % PROGRAM_SLOTS;
        struct event e = {
            .op = op, .step = i, .slot = (uint16_t)slot, .kind = o->kind, .result = RESULT_VOID, .offset = OFFSET_NONE};
        if (o->a_kind == SIZE_LITERAL && o->b_kind == SIZE_LITERAL) { /* others have no value without a run */
            e.size = o->a + i * (uint64_t)op_step(o);
            e.size2 = o->b;
        }
        switch ((enum op_kind)o->kind) {
        case OP_MALLOC:
        case OP_CALLOC:
        case OP_ALIGNED_ALLOC:
        case OP_POSIX_MEMALIGN:
        case OP_MEMALIGN:
        case OP_MMAP: e.result = live[slot] ? RESULT_SKIPPED : RESULT_PTR; break;
        case OP_REALLOC:
        case OP_REALLOCARRAY: e.result = RESULT_PTR; break;
        default: break;
        }
        if (e.result == RESULT_PTR) live[slot] = true;
        if (ends_block(&e)) live[slot] = false;
        t->events[t->event_count++] = e;
    }
}

/* The trace that the program asks for; from malloc, NULL if there is no memory. */
static struct trace *imagine(const struct program *p)
{
    bool live[PROGRAM_SLOTS] = {false};
    struct trace *t = calloc(1, sizeof *t);

    for (uint32_t i = 0; t != NULL && i < p->op_count; i++) {
        const struct op *o = &p->ops[i];
        uint32_t back = o->a < i ? (uint32_t)o->a : i;
        if (o->kind != OP_REPEAT) {
            imagine_op(t, p, i, live);
            continue;
        }
        for (uint64_t n = 0; n < o->b && back > 0 && t->event_count < TRACE_EVENTS_MAX; n++) {
            uint32_t before = t->event_count;
            for (uint32_t j = i - back; j < i; j++)
                if (p->ops[j].kind != OP_REPEAT) imagine_op(t, p, j, live);
            if (t->event_count == before) break; /* Nothing but repeats: more rounds bring nothing. */
        }
    }
    return t;
}

/* ---- The page ---------------------------------------------------------------------------------------------------- */

/* What the height of the chart stands for. */
static const char *height_words(const struct chart *c, bool run)
{
    if (!run) return "the slots: where blocks lie, only a run can tell";
    if (!c->by_slot) return "the addresses of the memory lent";
    return c->trace->machine.frames ? "the slots; where their frames are, the machine below shows"
                                    : "the slots: addresses of a host heap mean nothing";
}

static void print_chart(FILE *out, const struct program *p, const struct trace *trace, const struct verdict *verdict)
{
    struct chart *c = calloc(1, sizeof *c);
    if (c == NULL) return; /* The page is whole without its chart. */
    c->out = out;
    c->trace = trace;
    c->events = trace->event_count;
    /* At the end everything is freed, which shows nothing unless a rule breaks there. */
    while (!(verdict && verdict->kind == VERDICT_FAIL) && c->events > 1 &&
           trace->events[c->events - 1].op >= p->op_count)
        c->events--;
    for (unsigned life = 0; life < LIVES; life++) c->lives[life].opened = CLOSED;
    measure(c);

    fprintf(out, "<h2>The heap over time</h2>\n<p>One step to the right is one call; downwards are %s.%s</p>\n",
            height_words(c, verdict != NULL), trace->events_dropped > 0 ? " Only the last calls are shown." : "");
    fprintf(out, "<svg viewBox=\"0 -10 %.0f %.0f\" role=\"img\" aria-label=\"blocks over time\">\n",
            CHART_LEFT + CHART_WIDTH + 10, CHART_HEIGHT + 40);
    draw_axis(c);
    for (uint32_t i = 0; i < c->events; i++) draw_event(c, i);
    for (unsigned life = 0; life < LIVES; life++) draw_life(c, life, c->events);
    if (verdict != NULL && verdict->kind == VERDICT_FAIL) draw_failure(c, verdict);
    fputs("</svg>\n", out);
    free(c);
}

/* The annotated program, the failing line highlighted. */
static void print_program(FILE *out, const struct program *p, const struct trace *trace, const struct verdict *verdict)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL) return;
    report_annotated(stream, p, trace, verdict);
    fclose(stream);
    fputs("<h2>The program</h2>\n<pre>", out);
    for (char *rest = text, *line; rest != NULL && (line = strsep(&rest, "\n")) != NULL;) {
        if (line[0] == '>') fputs("<mark>", out);
        xml_text(out, line);
        fputs(line[0] == '>' ? "</mark>\n" : rest != NULL ? "\n" : "", out);
    }
    fputs("</pre>\n", out);
    free(text);
}

static void print_verdict(FILE *out, const struct verdict *verdict)
{
    if (verdict->kind == VERDICT_PASS) {
        fputs("<p>PASS: every rule held.</p>\n", out);
        return;
    }
    const struct rule_info *info = report_rule(verdict);
    fprintf(out, "<p><strong>%s %s</strong> (%s): ", report_verdict_word(verdict->kind), info->id,
            rule_class_name(info->class));
    xml_text(out, info->sentence);
    fputs(" [", out);
    xml_text(out, info->source);
    fputs("]<br>expected: ", out);
    xml_text(out, verdict->expected);
    fputs("<br>seen: ", out);
    xml_text(out, verdict->seen);
    fputs("</p>\n", out);
}

int page_write(FILE *out, const struct program *p, const struct trace *trace, const struct verdict *verdict,
               const char *allocator)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>assay", out);
    if (allocator != NULL) fputs(": ", out), xml_text(out, allocator);
    fputs("</title>\n<style>\n"
          "body { font: 15px/1.5 sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }\n"
          "pre { background: #f5f5f2; padding: 1rem; overflow-x: auto; line-height: 1.35 }\n"
          "mark { background: #ffd9d0; font-weight: bold }\n"
          "svg { width: 100%; height: auto; font-size: 11px } svg text { fill: #555 }\n"
          "rect { stroke: #fff; stroke-width: 0.5; opacity: 0.8 } .grid { stroke: #ddd }\n"
          "line.fault { stroke: #c22; stroke-width: 1.5 } circle.fault { fill: none; stroke: #c22; stroke-width: 2 }\n"
          ".b0 { fill: #4e79a7 } .b1 { fill: #f28e2b } .b2 { fill: #59a14f }\n"
          ".b3 { fill: #b07aa1 } .b4 { fill: #76b7b2 } .b5 { fill: #edc948 }\n",
          out);
    if (trace != NULL && trace->machine.frames) page_machine_style(out);
    fputs("</style>\n</head>\n<body>\n<h1>assay", out);
    if (allocator != NULL) fputs(": ", out), xml_text(out, allocator);
    fputs("</h1>\n", out);
    if (verdict != NULL) print_verdict(out, verdict);
    print_program(out, p, trace, verdict);
    if (trace == NULL) {
        struct trace *imagined = imagine(p);
        fputs("<p>This is no run: the chart shows what the program asks for.</p>\n", out);
        if (imagined != NULL && imagined->event_count > 0) print_chart(out, p, imagined, NULL);
        free(imagined);
    } else if (trace->event_count > 0) {
        print_chart(out, p, trace, verdict);
    }
    if (trace != NULL && trace->machine.frames) page_machine(out, &trace->machine);
    fputs("</body>\n</html>\n", out);
    errno = 0;
    if (fflush(out) == 0 && !ferror(out)) return 0;
    if (errno == 0) errno = EIO;
    return -1;
}
