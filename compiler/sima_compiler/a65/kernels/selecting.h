/* Kernels that select. `key` gives integers in the order of the values; of equal ones the lower index comes first. */
#ifndef SIMA_SELECTING_H
#define SIMA_SELECTING_H

#include "functions.h"

#define SIMA_PLACE_OF_BEST(name, type, key)                                                                            \
    SIMA_KERNEL void name(const type *values, int64_t *results, int64_t outer, int64_t size, int64_t inner, int is_largest, \
                     int takes_last)                                                                                   \
    {                                                                                                                  \
        for (int64_t row = 0; row < outer * inner; row++) {                                                            \
            const type *line = values + row / inner * size * inner + row % inner;                                      \
            int64_t best = 0;                                                                                          \
            for (int64_t place = 1; place < size; place++) {                                                           \
                const int64_t one = key(line[place * inner]), other = key(line[best * inner]);                         \
                if (one == other ? takes_last : (one > other) == is_largest)                                           \
                    best = place;                                                                                      \
            }                                                                                                          \
            results[row] = best;                                                                                       \
        }                                                                                                              \
    }

/* Each value goes behind those kept that are not worse; what falls off the end is forgotten. */
#define SIMA_TOP(name, type, key)                                                                                      \
    SIMA_KERNEL void name(const type *values, type *results, int64_t *indices, int64_t outer, int64_t size, int64_t inner, \
                     int64_t most, int is_largest)                                                                     \
    {                                                                                                                  \
        for (int64_t row = 0; row < outer * inner && most > 0; row++) {                                                \
            const type *line = values + row / inner * size * inner + row % inner;                                      \
            const int64_t base = row / inner * most * inner + row % inner;                                             \
            for (int64_t place = 0; place < size; place++) {                                                           \
                const int64_t one = key(line[place * inner]);                                                          \
                int64_t low = 0, high = place < most ? place : most;                                                   \
                const int64_t kept = high;                                                                             \
                while (low < high) {                                                                                   \
                    const int64_t middle = low + (high - low) / 2, other = key(results[base + middle * inner]);        \
                    if (one == other || (other > one) == is_largest)                                                   \
                        low = middle + 1;                                                                              \
                    else                                                                                               \
                        high = middle;                                                                                 \
                }                                                                                                      \
                if (low == most)                                                                                       \
                    continue;                                                                                          \
                for (int64_t to = kept < most ? kept : most - 1; to > low; to--) {                                     \
                    results[base + to * inner] = results[base + (to - 1) * inner];                                     \
                    indices[base + to * inner] = indices[base + (to - 1) * inner];                                     \
                }                                                                                                      \
                results[base + low * inner] = line[place * inner];                                                     \
                indices[base + low * inner] = place;                                                                   \
            }                                                                                                          \
        }                                                                                                              \
    }

static inline int64_t sima_same(int64_t x)
{
    return x;
}

/* Least x and y, largest x and y, area. */
SIMA_KERNEL void sima_corners(const float *box, int is_centred, float *c)
{
    if (is_centred) {
        for (int axis = 0; axis < 2; axis++) {
            const float half = box[2 + axis] / 2.0f;
            c[axis] = box[axis] - half;
            c[2 + axis] = box[axis] + half;
        }
    } else {
        for (int axis = 0; axis < 2; axis++) {
            const float one = box[1 - axis], other = box[3 - axis];
            c[axis] = one < other ? one : other;
            c[2 + axis] = one < other ? other : one;
        }
    }
    c[4] = (c[2] - c[0]) * (c[3] - c[1]);
}

SIMA_KERNEL int sima_overlaps(const float *one, const float *other, float most)
{
    float low[2], high[2];
    for (int axis = 0; axis < 2; axis++) {
        low[axis] = one[axis] > other[axis] ? one[axis] : other[axis];
        high[axis] = one[2 + axis] < other[2 + axis] ? one[2 + axis] : other[2 + axis];
    }
    if (!(high[0] > low[0] && high[1] > low[1]) || one[4] <= 0.0f || other[4] <= 0.0f)
        return 0;
    const float shared = (high[0] - low[0]) * (high[1] - low[1]);
    const float all = (one[4] + other[4]) - shared;
    return all > 0.0f && shared / all > most;
}

/* Whether box `one` comes behind box `other`: a lower score, or the same and a higher index. */
static inline int sima_comes_later(const float *scores, int64_t one, int64_t other)
{
    const int64_t a = sima_key(scores[one]), b = sima_key(scores[other]);
    return a == b ? one > other : a < b;
}

/* A heap whose root comes last, from which the order is taken from the end. */
SIMA_KERNEL void sima_sift(const float *scores, int64_t *order, int64_t root, int64_t count)
{
    for (int64_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && sima_comes_later(scores, order[child + 1], order[child]))
            child++;
        if (!sima_comes_later(scores, order[child], order[root]))
            return;
        const int64_t moved = order[root];
        order[root] = order[child];
        order[child] = moved;
        root = child;
    }
}

SIMA_KERNEL void sima_sort(const float *scores, int64_t *order, int64_t count)
{
    for (int64_t root = count / 2 - 1; root >= 0; root--)
        sima_sift(scores, order, root, count);
    for (int64_t last = count - 1; last > 0; last--) {
        const int64_t moved = order[0];
        order[0] = order[last];
        order[last] = moved;
        sima_sift(scores, order, 0, last);
    }
}

/* Rows of sample, class and box; rows behind the last selected box are -1. `order` has room for all boxes. */
SIMA_KERNEL void sima_suppress(const float *boxes, const float *scores, int64_t *results, int64_t *order, int64_t samples,
                          int64_t classes, int64_t count, int64_t limit, float overlap, int has_least, float least,
                          int is_centred)
{
    int64_t filled = 0;
    for (int64_t sample = 0; sample < samples; sample++, boxes += count * 4)
        for (int64_t label = 0; label < classes; label++, scores += count) {
            const int64_t first = filled;
            int64_t candidates = 0;
            for (int64_t box = 0; box < count; box++)
                if (!has_least || scores[box] > least)
                    order[candidates++] = box;
            sima_sort(scores, order, candidates);
            for (int64_t place = 0; place < candidates && filled - first < limit; place++) {
                float one[5], other[5];
                int is_free = 1;
                sima_corners(boxes + order[place] * 4, is_centred, one);
                for (int64_t row = first; row < filled && is_free; row++) {
                    sima_corners(boxes + results[row * 3 + 2] * 4, is_centred, other);
                    is_free = !sima_overlaps(one, other, overlap);
                }
                if (is_free) {
                    results[filled * 3] = sample;
                    results[filled * 3 + 1] = label;
                    results[filled * 3 + 2] = order[place];
                    filled++;
                }
            }
        }
    for (int64_t place = filled * 3; place < samples * classes * limit * 3; place++)
        results[place] = -1;
}

/* Real indices lose their fraction; what lies outside of the depth is none of the places. */
#define SIMA_ONE_HOT(name, index, type, whole_of)                                                                      \
    SIMA_KERNEL void name(const index *indices, const type *values, type *results, int64_t outer, int64_t depth,           \
                     int64_t inner)                                                                                    \
    {                                                                                                                  \
        for (int64_t row = 0; row < outer; row++)                                                                      \
            for (int64_t place = 0; place < depth; place++)                                                            \
                for (int64_t column = 0; column < inner; column++) {                                                   \
                    const int64_t whole = whole_of(indices[row * inner + column]);                                     \
                    *results++ = values[(whole < 0 ? whole + depth : whole) == place];                                 \
                }                                                                                                      \
    }

/* As sim/host holds real indices. */
static inline int64_t sima_index_of(float x)
{
    return sima_abs(x) < 0x1p31f ? (int64_t)x : INT64_C(0x80000000);
}

#endif
