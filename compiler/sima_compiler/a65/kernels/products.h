/* Sums of products, in double and rounded once: along the contracted axis; of windows channel by channel, then row by row. */
#ifndef SIMA_PRODUCTS_H
#define SIMA_PRODUCTS_H

#include "functions.h"

/* (rows, depth) times (depth, columns); steps in values between neighbours along both axes of both operands. */
SIMA_KERNEL void sima_product(const float *a, const float *b, float *y, int64_t rows, int64_t depth, int64_t columns,
                         int64_t a_row, int64_t a_step, int64_t b_step, int64_t b_column, float alpha)
{
    for (int64_t row = 0; row < rows; row++)
        for (int64_t first = 0; first < columns; first += SIMA_TILE) {
            const int64_t width = columns - first < SIMA_TILE ? columns - first : SIMA_TILE;
            double sums[SIMA_TILE] = {0.0};
            for (int64_t k = 0; k < depth; k++) {
                const double factor = (double)a[row * a_row + k * a_step];
                for (int64_t column = 0; column < width; column++)
                    sums[column] += factor * (double)b[k * b_step + (first + column) * b_column];
            }
            for (int64_t column = 0; column < width; column++)
                *y++ = (float)sums[column] * alpha;
        }
}

/* The same for all matrices of two stacks; the grid's steps are in values. */
SIMA_KERNEL void sima_products(const float *a, const float *b, float *y, const sima_grid *stacks, int64_t rows, int64_t depth,
                          int64_t columns)
{
    int64_t at[SIMA_AXES] = {0}, offsets[3] = {0};
    for (int64_t matrix = sima_count(stacks, 0); matrix > 0; matrix--, y += rows * columns) {
        sima_product(a + offsets[0], b + offsets[1], y, rows, depth, columns, depth, 1, columns, 1, 1.0f);
        sima_next(stacks, 0, at, offsets);
    }
}

/* Windows over maps of up to SIMA_AXES axes: sizes of the map, of the window and of the result. */
typedef struct {
    int axes;
    int64_t map[SIMA_AXES], window[SIMA_AXES], result[SIMA_AXES], strides[SIMA_AXES], dilations[SIMA_AXES], pads[SIMA_AXES];
    int64_t map_size, window_size, result_size;
} sima_windows;

/* The flat place in the map that a cell of the window at one result sees, -1 outside of the map. */
static inline int64_t sima_seen(const sima_windows *w, const int64_t *result, const int64_t *cell)
{
    int64_t place = 0;
    for (int axis = 0; axis < w->axes; axis++) {
        const int64_t at = result[axis] * w->strides[axis] + cell[axis] * w->dilations[axis] - w->pads[axis];
        if (at < 0 || at >= w->map[axis])
            return -1;
        place = place * w->map[axis] + at;
    }
    return place;
}

static inline void sima_step(const int64_t *sizes, int axes, int64_t *at)
{
    for (int axis = axes - 1; axis >= 0; axis--) {
        if (++at[axis] < sizes[axis])
            return;
        at[axis] = 0;
    }
}

/* Results of one row share the walk over the window: each of its cells is added to all of them. */
SIMA_KERNEL void sima_conv(const float *values, const float *weights, const float *bias, float *results, const sima_windows *w,
                      int64_t samples, int64_t groups, int64_t inputs, int64_t outputs)
{
    const int last = w->axes - 1;
    const int64_t row = w->result[last];
    for (int64_t map = 0; map < samples * groups * outputs; map++) {
        const int64_t output = map % (groups * outputs), group = output / outputs;
        const float *maps = values + (map / (groups * outputs) * groups + group) * inputs * w->map_size;
        const float *kernel = weights + output * inputs * w->window_size;
        int64_t at[SIMA_AXES] = {0};
        for (int64_t result = 0; result < w->result_size; result += row)
            for (int64_t first = 0; first < row; first += SIMA_TILE) {
                const int64_t width = row - first < SIMA_TILE ? row - first : SIMA_TILE;
                double sums[SIMA_TILE];
                for (int64_t column = 0; column < width; column++)
                    sums[column] = bias ? (double)bias[output] : 0.0;
                for (int64_t channel = 0; channel < inputs; channel++) {
                    int64_t cell[SIMA_AXES] = {0};
                    for (int64_t place = 0; place < w->window_size; place++) {
                        const double factor = (double)kernel[channel * w->window_size + place];
                        for (int64_t column = 0; column < width; column++) {
                            at[last] = first + column;
                            const int64_t seen = sima_seen(w, at, cell);
                            if (seen >= 0)
                                sums[column] += factor * (double)maps[channel * w->map_size + seen];
                        }
                        sima_step(w->window, w->axes, cell);
                    }
                }
                for (int64_t column = 0; column < width; column++)
                    *results++ = (float)sums[column];
                if (first + width == row) {
                    at[last] = row - 1;
                    sima_step(w->result, w->axes, at);
                }
            }
    }
}

/* The flat place in the map whose window's cell falls on a result, -1 where there is none. */
static inline int64_t sima_spread_from(const sima_windows *w, const int64_t *result, const int64_t *cell)
{
    int64_t place = 0;
    for (int axis = 0; axis < w->axes; axis++) {
        const int64_t at = result[axis] + w->pads[axis] - cell[axis] * w->dilations[axis];
        if (at < 0 || at % w->strides[axis] || at / w->strides[axis] >= w->map[axis])
            return -1;
        place = place * w->map[axis] + at / w->strides[axis];
    }
    return place;
}

SIMA_KERNEL void sima_conv_transpose(const float *values, const float *weights, const float *bias, float *results,
                                     const sima_windows *w, int64_t samples, int64_t groups, int64_t inputs, int64_t outputs)
{
    for (int64_t map = 0; map < samples * groups * outputs; map++) {
        const int64_t output = map % outputs, group = map / outputs % groups;
        const float *maps = values + map / outputs * inputs * w->map_size;
        int64_t at[SIMA_AXES] = {0};
        for (int64_t result = 0; result < w->result_size; result++) {
            double sum = bias ? (double)bias[group * outputs + output] : 0.0;
            for (int64_t channel = 0; channel < inputs; channel++) {
                const float *kernel = weights + ((group * inputs + channel) * outputs + output) * w->window_size;
                int64_t cell[SIMA_AXES] = {0};
                for (int64_t place = 0; place < w->window_size; place++) {
                    const int64_t from = sima_spread_from(w, at, cell);
                    if (from >= 0)
                        sum += (double)maps[channel * w->map_size + from] * (double)kernel[place];
                    sima_step(w->window, w->axes, cell);
                }
            }
            *results++ = (float)sum;
            sima_step(w->result, w->axes, at);
        }
    }
}

SIMA_KERNEL void sima_max_pool(const float *values, float *results, const sima_windows *w, int64_t maps)
{
    for (int64_t map = 0; map < maps; map++, values += w->map_size) {
        int64_t at[SIMA_AXES] = {0};
        for (int64_t result = 0; result < w->result_size; result++) {
            int64_t cell[SIMA_AXES] = {0};
            float best = -SIMA_INFINITY;
            for (int64_t place = 0; place < w->window_size; place++) {
                const int64_t seen = sima_seen(w, at, cell);
                if (seen >= 0 && (values[seen] > best || values[seen] != values[seen]))
                    best = values[seen];
                sima_step(w->window, w->axes, cell);
            }
            *results++ = best + 0.0f;
            sima_step(w->result, w->axes, at);
        }
    }
}

/* `counts`: what each result is divided by. */
SIMA_KERNEL void sima_average_pool(const float *values, const double *counts, float *results, const sima_windows *w, int64_t maps)
{
    for (int64_t map = 0; map < maps; map++, values += w->map_size) {
        int64_t at[SIMA_AXES] = {0};
        for (int64_t result = 0; result < w->result_size; result++) {
            int64_t cell[SIMA_AXES] = {0};
            double sum = 0.0;
            for (int64_t place = 0; place < w->window_size; place++) {
                const int64_t seen = sima_seen(w, at, cell);
                if (seen >= 0)
                    sum += (double)values[seen];
                sima_step(w->window, w->axes, cell);
            }
            *results++ = (float)(sum / counts[result]);
            sima_step(w->result, w->axes, at);
        }
    }
}

#endif
