/* Kernels that move values, and those that read or write where indices say. */
#ifndef SIMA_MOVEMENT_H
#define SIMA_MOVEMENT_H

#include "base.h"

/* For every axis of the result a table: the value at (i, j, ...) comes from place tables[0][i] + tables[1][j] + ..., or is the
 * fill (NULL: 0) where an entry is negative. */
typedef struct {
    int axes;
    int64_t sizes[SIMA_AXES];
    const int64_t *tables[SIMA_AXES];
} sima_moves;

#define SIMA_TAKE(name, type)                                                                                          \
    SIMA_KERNEL void name(const type *values, const type *fill, type *results, const sima_moves *moves)                    \
    {                                                                                                                  \
        int64_t count = 1, at[SIMA_AXES] = {0};                                                                        \
        for (int axis = 0; axis < moves->axes; axis++)                                                                 \
            count *= moves->sizes[axis];                                                                               \
        for (int64_t result = 0; result < count; result++) {                                                           \
            int64_t place = 0, is_filled = 0;                                                                          \
            for (int axis = 0; axis < moves->axes; axis++) {                                                           \
                place += moves->tables[axis][at[axis]];                                                                \
                is_filled |= moves->tables[axis][at[axis]] < 0;                                                        \
            }                                                                                                          \
            results[result] = !is_filled ? values[place] : fill ? *fill : (type)0;                                     \
            for (int axis = moves->axes - 1; axis >= 0; axis--) {                                                      \
                if (++at[axis] < moves->sizes[axis])                                                                   \
                    break;                                                                                             \
                at[axis] = 0;                                                                                          \
            }                                                                                                          \
        }                                                                                                              \
    }

/* For every axis of the result two places of the operand and what each counts; `blended` lists the axes where they differ. */
typedef struct {
    int axes, blended_count, blended[SIMA_AXES];
    int64_t sizes[SIMA_AXES];
    const int64_t *places[2][SIMA_AXES];
    const float *weights[2][SIMA_AXES];
} sima_blends;

/* Corner by corner, the last blended axis fastest; a sum in double is rounded once. */
SIMA_KERNEL void sima_blend(const float *values, float *results, const sima_blends *b)
{
    int64_t count = 1, at[SIMA_AXES] = {0};
    for (int axis = 0; axis < b->axes; axis++)
        count *= b->sizes[axis];
    for (int64_t result = 0; result < count; result++) {
        double sum = 0.0;
        for (int corner = 0; corner < 1 << b->blended_count; corner++) {
            int is_far[SIMA_AXES] = {0};
            double weight = 1.0;
            int64_t place = 0;
            for (int k = 0; k < b->blended_count; k++)
                is_far[b->blended[k]] = corner >> (b->blended_count - 1 - k) & 1;
            for (int k = 0; k < b->blended_count; k++)
                weight *= (double)b->weights[is_far[b->blended[k]]][b->blended[k]][at[b->blended[k]]];
            for (int axis = 0; axis < b->axes; axis++)
                place += b->places[is_far[axis]][axis][at[axis]];
            sum += (double)values[place] * weight;
        }
        results[result] = (float)sum;
        for (int axis = b->axes - 1; axis >= 0; axis--) {
            if (++at[axis] < b->sizes[axis])
                break;
            at[axis] = 0;
        }
    }
}

/* One operand of a Concat: rows of `bytes` into rows of `row_bytes`, from `first` on. */
SIMA_KERNEL void sima_join(const void *values, void *results, int64_t rows, int64_t bytes, int64_t row_bytes, int64_t first)
{
    for (int64_t row = 0; row < rows; row++)
        sima_copy((unsigned char *)results + row * row_bytes + first, (const unsigned char *)values + row * bytes, bytes);
}

#define SIMA_TRILU(name, type)                                                                                         \
    SIMA_KERNEL void name(const type *values, type *results, int64_t outer, int64_t rows, int64_t columns, int64_t offset, int upper) \
    {                                                                                                                  \
        for (int64_t matrix = 0; matrix < outer; matrix++)                                                             \
            for (int64_t row = 0; row < rows; row++)                                                                   \
                for (int64_t column = 0; column < columns; column++) {                                                 \
                    const int is_kept = upper ? column - row >= offset : column - row <= offset;                       \
                    *results++ = is_kept ? *values : (type)0;                                                          \
                    values++;                                                                                          \
                }                                                                                                      \
    }

/* Indices may be of two types. Offsets and sizes below are in bytes where they say so. */
#define SIMA_GATHER(name, index)                                                                                       \
    SIMA_KERNEL void name(const void *values, const index *indices, void *results, int64_t outer, int64_t size,            \
                     int64_t count, int64_t bytes)                                                                     \
    {                                                                                                                  \
        unsigned char *to = results;                                                                                   \
        for (int64_t row = 0; row < outer; row++)                                                                      \
            for (int64_t place = 0; place < count; place++, to += bytes)                                               \
                sima_copy(to, (const unsigned char *)values + (row * size + sima_held(indices[place], size)) * bytes, bytes); \
    }

/* Where an index along one axis points: the grid is the indices', steps[0] the values'. */
#define SIMA_PLACES(name, index)                                                                                       \
    static inline int64_t name(const index *indices, int64_t place, const sima_grid *g, int axis, int64_t size,       \
                               const int64_t *at, int64_t offset)                                                      \
    {                                                                                                                  \
        return offset + (sima_held(indices[place], size) - at[axis]) * g->steps[0][axis];                              \
    }

SIMA_PLACES(sima_place_int64, int64_t)
SIMA_PLACES(sima_place_int32, int32_t)

#define SIMA_GATHER_ELEMENTS(name, index, place_of)                                                                    \
    SIMA_KERNEL void name(const void *values, const index *indices, void *results, const sima_grid *g, int axis,           \
                     int64_t size, int64_t bytes)                                                                      \
    {                                                                                                                  \
        int64_t at[SIMA_AXES] = {0}, offsets[3] = {0};                                                                 \
        const int64_t count = sima_count(g, 0);                                                                        \
        for (int64_t place = 0; place < count; place++) {                                                              \
            const int64_t from = place_of(indices, place, g, axis, size, at, offsets[0]);                              \
            sima_copy((unsigned char *)results + place * bytes, (const unsigned char *)values + from * bytes, bytes);  \
            sima_next(g, 0, at, offsets);                                                                              \
        }                                                                                                              \
    }

/* The values, then updates one after the other where their indices say. */
#define SIMA_SCATTER_ELEMENTS(name, index, place_of)                                                                   \
    SIMA_KERNEL void name(const void *values, const index *indices, const void *updates, void *results,                    \
                     const sima_grid *g, int axis, int64_t size, int64_t bytes, int64_t all_bytes)                     \
    {                                                                                                                  \
        int64_t at[SIMA_AXES] = {0}, offsets[3] = {0};                                                                 \
        const int64_t count = sima_count(g, 0);                                                                        \
        sima_copy(results, values, all_bytes);                                                                         \
        for (int64_t place = 0; place < count; place++) {                                                              \
            const int64_t to = place_of(indices, place, g, axis, size, at, offsets[0]);                                \
            sima_copy((unsigned char *)results + to * bytes, (const unsigned char *)updates + place * bytes, bytes);   \
            sima_next(g, 0, at, offsets);                                                                              \
        }                                                                                                              \
    }

/* Rows of `depth` indices each name a slice of `bytes`; sizes and steps are those of the axes that they name. */
#define SIMA_SLICE_OF(name, index)                                                                                     \
    static inline int64_t name(const index *row, int64_t depth, const int64_t *sizes, const int64_t *steps)           \
    {                                                                                                                  \
        int64_t place = 0;                                                                                             \
        for (int64_t axis = 0; axis < depth; axis++)                                                                   \
            place += sima_held(row[axis], sizes[axis]) * steps[axis];                                                  \
        return place;                                                                                                  \
    }

SIMA_SLICE_OF(sima_slice_int64, int64_t)
SIMA_SLICE_OF(sima_slice_int32, int32_t)

#define SIMA_GATHER_ND(name, index, slice_of)                                                                          \
    SIMA_KERNEL void name(const void *values, const index *indices, void *results, int64_t outer, int64_t rows,            \
                     int64_t depth, const int64_t *sizes, const int64_t *steps, int64_t slices, int64_t bytes)         \
    {                                                                                                                  \
        unsigned char *to = results;                                                                                   \
        for (int64_t sample = 0; sample < outer; sample++)                                                             \
            for (int64_t row = 0; row < rows; row++, indices += depth, to += bytes) {                                  \
                const int64_t place = sample * slices + slice_of(indices, depth, sizes, steps);                        \
                sima_copy(to, (const unsigned char *)values + place * bytes, bytes);                                   \
            }                                                                                                          \
    }

#define SIMA_SCATTER_ND(name, index, slice_of)                                                                         \
    SIMA_KERNEL void name(const void *values, const index *indices, const void *updates, void *results, int64_t rows,      \
                     int64_t depth, const int64_t *sizes, const int64_t *steps, int64_t bytes, int64_t all_bytes)      \
    {                                                                                                                  \
        sima_copy(results, values, all_bytes);                                                                         \
        for (int64_t row = 0; row < rows; row++, indices += depth) {                                                   \
            const int64_t place = slice_of(indices, depth, sizes, steps);                                              \
            sima_copy((unsigned char *)results + place * bytes, (const unsigned char *)updates + row * bytes, bytes);  \
        }                                                                                                              \
    }

#endif
