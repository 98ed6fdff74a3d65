/* What all host kernels share: walks over axes, and the few library functions that a compiler may call.
 *
 * Freestanding C: no library, no allocation, no global that is written. Every float operation is one IEEE 754 operation (the
 * build forbids fused ones), so that `sim/host` computes the same bits. Integers wrap: they are added as unsigned.
 */
#ifndef SIMA_BASE_H
#define SIMA_BASE_H

#include <stddef.h>
#include <stdint.h>

#define SIMA_AXES 8
#define SIMA_TILE 64
/* A kernel is a function of its own in the machine code too: what a profile or a debugger shows is what is written here. */
#define SIMA_KERNEL static __attribute__((noinline))

/* Sizes of some axes and how far apart neighbours along them lie in up to three operands, in values. */
typedef struct {
    int axes;
    int64_t sizes[SIMA_AXES];
    int64_t steps[3][SIMA_AXES];
} sima_grid;

#ifdef SIMA_FREESTANDING
__attribute__((visibility("hidden"))) void *memcpy(void *to, const void *from, size_t count)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    for (size_t i = 0; i < count; i++)
        t[i] = f[i];
    return to;
}

__attribute__((visibility("hidden"))) void *memset(void *to, int value, size_t count)
{
    unsigned char *t = to;
    for (size_t i = 0; i < count; i++)
        t[i] = (unsigned char)value;
    return to;
}
#else
#include <string.h>
#endif

/* How many positions the axes in front of the last `inner` ones have together. */
static inline int64_t sima_count(const sima_grid *g, int inner)
{
    int64_t count = 1;
    for (int axis = 0; axis < g->axes - inner; axis++)
        count *= g->sizes[axis];
    return count;
}

/* Moves `at` to the next position of the axes in front of the last `inner` ones, and the offsets with it. */
static inline void sima_next(const sima_grid *g, int inner, int64_t *at, int64_t *offsets)
{
    for (int axis = g->axes - inner - 1; axis >= 0; axis--) {
        at[axis]++;
        for (int operand = 0; operand < 3; operand++)
            offsets[operand] += g->steps[operand][axis];
        if (at[axis] < g->sizes[axis])
            return;
        for (int operand = 0; operand < 3; operand++)
            offsets[operand] -= g->steps[operand][axis] * g->sizes[axis];
        at[axis] = 0;
    }
}

static inline void sima_copy(void *to, const void *from, int64_t bytes)
{
    if (bytes > 0)
        memcpy(to, from, (size_t)bytes);
}

/* An index counted from the front, the nearest place where it lies outside of the axis. */
static inline int64_t sima_held(int64_t index, int64_t size)
{
    if (index < 0)
        index += size;
    return index < 0 ? 0 : index >= size ? size - 1 : index;
}

#endif
