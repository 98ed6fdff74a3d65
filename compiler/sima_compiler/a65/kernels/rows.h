/* Reductions, orders and normalizations. Sums are taken in double, value after value, and rounded once. */
#ifndef SIMA_ROWS_H
#define SIMA_ROWS_H

#include "functions.h"

/* `kept` walks over the results, `reduced` over what each of them is made of; steps[0] are the operand's. `v` is a value,
 * `a` what has come of those before it; `first` is what stands for no value yet. */
#define SIMA_REDUCE(name, type, wide, first, step, end)                                                                \
    SIMA_KERNEL void name(const type *values, type *results, const sima_grid *kept, const sima_grid *reduced)              \
    {                                                                                                                  \
        int64_t at[SIMA_AXES] = {0}, offsets[3] = {0};                                                                 \
        const int64_t count = sima_count(reduced, 0);                                                                  \
        for (int64_t result = sima_count(kept, 0); result > 0; result--) {                                             \
            int64_t in_row[SIMA_AXES] = {0}, inner[3] = {0};                                                           \
            const type *row = values + offsets[0];                                                                     \
            wide a = first;                                                                                            \
            for (int64_t place = 0; place < count; place++) {                                                          \
                const type v = row[inner[0]];                                                                          \
                a = step;                                                                                              \
                sima_next(reduced, 0, in_row, inner);                                                                  \
            }                                                                                                          \
            *results++ = end;                                                                                          \
            sima_next(kept, 0, at, offsets);                                                                           \
        }                                                                                                              \
    }

SIMA_KERNEL float sima_largest(const float *values, int64_t size, int64_t step)
{
    float best = values[0];
    for (int64_t place = 1; place < size; place++) {
        const float v = values[place * step];
        best = v > best || v != v ? v : best;
    }
    return best + 0.0f;
}

SIMA_KERNEL void sima_log_sum_exp(const float *values, float *results, const sima_grid *kept, const sima_grid *reduced)
{
    int64_t at[SIMA_AXES] = {0}, offsets[3] = {0};
    const int64_t count = sima_count(reduced, 0);
    for (int64_t result = sima_count(kept, 0); result > 0; result--) {
        const float *row = values + offsets[0];
        float top = row[0];
        double sum = 0.0;
        for (int pass = 0; pass < 2; pass++) {
            int64_t in_row[SIMA_AXES] = {0}, inner[3] = {0};
            for (int64_t place = 0; place < count; place++) {
                const float v = row[inner[0]];
                if (pass == 0)
                    top = v > top || v != v ? v : top;
                else
                    sum += (double)sima_exp(v - top);
                sima_next(reduced, 0, in_row, inner);
            }
            if (pass == 0)
                top = sima_abs(top) < SIMA_INFINITY ? top + 0.0f : 0.0f;
        }
        *results++ = sima_log((float)sum) + top;
        sima_next(kept, 0, at, offsets);
    }
}

/* Rows along one axis: `outer` times `inner` of them, of `size` values that lie `inner` apart. */
SIMA_KERNEL void sima_softmax(const float *values, float *results, int64_t outer, int64_t size, int64_t inner, int is_logarithm)
{
    for (int64_t row = 0; row < outer * inner && size > 0; row++) {
        const int64_t base = row / inner * size * inner + row % inner;
        const float top = sima_largest(values + base, size, inner);
        double sum = 0.0;
        for (int64_t place = 0; place < size; place++) {
            const float power = sima_exp(values[base + place * inner] - top);
            results[base + place * inner] = power;
            sum += (double)power;
        }
        const float total = (float)sum;
        const float logarithm = is_logarithm ? sima_log(total) : 0.0f;
        for (int64_t place = 0; place < size; place++) {
            float *result = results + base + place * inner;
            *result = is_logarithm ? (values[base + place * inner] - top) - logarithm : *result / total;
        }
    }
}

SIMA_KERNEL void sima_lp_norm(const float *values, float *results, int64_t outer, int64_t size, int64_t inner, int is_squared)
{
    for (int64_t row = 0; row < outer * inner; row++) {
        const int64_t base = row / inner * size * inner + row % inner;
        double sum = 0.0;
        for (int64_t place = 0; place < size; place++) {
            const double v = (double)values[base + place * inner];
            sum += is_squared ? v * v : (double)sima_abs(values[base + place * inner]);
        }
        const float length = (float)(is_squared ? __builtin_sqrt(sum) : sum);
        for (int64_t place = 0; place < size; place++)
            results[base + place * inner] = length == 0.0f ? 0.0f : values[base + place * inner] / length;
    }
}

/* A row with the mean 0 and the variance 1. */
SIMA_KERNEL void sima_centre(const float *values, float *results, int64_t size, float epsilon)
{
    double sum = 0.0, squares = 0.0;
    for (int64_t place = 0; place < size; place++)
        sum += (double)values[place];
    const float mean = (float)(sum / (double)size);
    for (int64_t place = 0; place < size; place++) {
        const float rest = values[place] - mean;
        squares += (double)rest * (double)rest;
    }
    const float factor = 1.0f / sima_sqrt((float)(squares / (double)size) + epsilon);
    for (int64_t place = 0; place < size; place++)
        results[place] = (values[place] - mean) * factor;
}

SIMA_KERNEL void sima_centre_rows(const float *values, float *results, int64_t rows, int64_t size, float epsilon)
{
    for (int64_t row = 0; row < rows; row++)
        sima_centre(values + row * size, results + row * size, size, epsilon);
}

/* Rows with the mean square 1. */
SIMA_KERNEL void sima_even_rows(const float *values, float *results, int64_t rows, int64_t size, float epsilon)
{
    for (int64_t row = 0; row < rows; row++, values += size, results += size) {
        double squares = 0.0;
        for (int64_t place = 0; place < size; place++)
            squares += (double)values[place] * (double)values[place];
        const float factor = 1.0f / sima_sqrt((float)(squares / (double)size) + epsilon);
        for (int64_t place = 0; place < size; place++)
            results[place] = values[place] * factor;
    }
}

SIMA_KERNEL void sima_instance_norm(const float *values, const float *gains, const float *offsets, float *results,
                               int64_t samples, int64_t channels, int64_t size, float epsilon)
{
    for (int64_t row = 0; row < samples * channels; row++, results += size) {
        sima_centre(values + row * size, results, size, epsilon);
        for (int64_t place = 0; place < size; place++)
            results[place] = results[place] * gains[row % channels] + offsets[row % channels];
    }
}

SIMA_KERNEL void sima_batch_norm(const float *values, const float *gains, const float *offsets, const float *means,
                            const float *variances, float *results, int64_t samples, int64_t channels, int64_t size,
                            float epsilon)
{
    for (int64_t row = 0; row < samples * channels; row++) {
        const int64_t channel = row % channels;
        const float factor = gains[channel] / sima_sqrt(variances[channel] + epsilon);
        for (int64_t place = 0; place < size; place++)
            *results++ = (*values++ - means[channel]) * factor + offsets[channel];
    }
}

#define SIMA_CUMULATIVE(name, type, wide, sum)                                                                         \
    SIMA_KERNEL void name(const type *values, type *results, int64_t outer, int64_t size, int64_t inner, int is_exclusive, \
                     int is_reverse)                                                                                   \
    {                                                                                                                  \
        for (int64_t row = 0; row < outer * inner; row++) {                                                            \
            const int64_t base = row / inner * size * inner + row % inner;                                             \
            wide a = 0;                                                                                                \
            for (int64_t step = 0; step < size; step++) {                                                              \
                const int64_t place = base + (is_reverse ? size - 1 - step : step) * inner;                            \
                const type v = values[place];                                                                          \
                const wide before = a;                                                                                 \
                a = sum;                                                                                               \
                results[place] = (type)(is_exclusive ? before : a);                                                    \
            }                                                                                                          \
        }                                                                                                              \
    }

#endif
