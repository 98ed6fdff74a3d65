/* Loops of the kernels that work value by value; the operators' expressions are in a65/lowering/elementwise.py. */
#ifndef SIMA_ELEMENTWISE_H
#define SIMA_ELEMENTWISE_H

#include "functions.h"

#define SIMA_UNARY(name, input, output, expression)                                                                    \
    SIMA_KERNEL void name(const input *values, output *results, int64_t count)                                             \
    {                                                                                                                  \
        for (int64_t place = 0; place < count; place++) {                                                              \
            const input x = values[place];                                                                             \
            results[place] = (output)(expression);                                                                     \
        }                                                                                                              \
    }

#define SIMA_BINARY(name, first, second, output, expression)                                                           \
    SIMA_KERNEL void name(const first *lefts, const second *rights, output *results, const sima_grid *g)                   \
    {                                                                                                                  \
        const int last = g->axes - 1;                                                                                  \
        int64_t at[SIMA_AXES] = {0}, offsets[3] = {0};                                                                 \
        for (int64_t row = sima_count(g, 1); row > 0; row--) {                                                         \
            for (int64_t place = 0; place < g->sizes[last]; place++) {                                                 \
                const first x = lefts[offsets[0] + place * g->steps[0][last]];                                         \
                const second y = rights[offsets[1] + place * g->steps[1][last]];                                       \
                *results++ = (output)(expression);                                                                     \
            }                                                                                                          \
            sima_next(g, 1, at, offsets);                                                                              \
        }                                                                                                              \
    }

#define SIMA_WHERE(name, type)                                                                                         \
    SIMA_KERNEL void name(const uint8_t *chosen, const type *lefts, const type *rights, type *results, const sima_grid *g) \
    {                                                                                                                  \
        const int last = g->axes - 1;                                                                                  \
        int64_t at[SIMA_AXES] = {0}, offsets[3] = {0};                                                                 \
        for (int64_t row = sima_count(g, 1); row > 0; row--) {                                                         \
            for (int64_t place = 0; place < g->sizes[last]; place++)                                                   \
                *results++ = chosen[offsets[0] + place * g->steps[0][last]]                                            \
                                 ? lefts[offsets[1] + place * g->steps[1][last]]                                       \
                                 : rights[offsets[2] + place * g->steps[2][last]];                                     \
            sima_next(g, 1, at, offsets);                                                                              \
        }                                                                                                              \
    }

/* The upper bound last, so that it wins; NULL is no bound. */
#define SIMA_CLIP(name, type)                                                                                          \
    SIMA_KERNEL void name(const type *values, const type *low, const type *high, type *results, int64_t count)             \
    {                                                                                                                  \
        for (int64_t place = 0; place < count; place++) {                                                              \
            type x = values[place];                                                                                    \
            x = low && x < *low ? *low : x;                                                                            \
            results[place] = high && x > *high ? *high : x;                                                            \
        }                                                                                                              \
    }

/* Real numbers to bytes and back: a scale and a zero point for each of `channels`. */
#define SIMA_QUANTIZE(name, type, least, most)                                                                         \
    SIMA_KERNEL void name(const float *values, const float *scales, const type *zeros, type *results, int64_t outer,       \
                     int64_t channels, int64_t inner)                                                                  \
    {                                                                                                                  \
        for (int64_t row = 0; row < outer; row++)                                                                      \
            for (int64_t channel = 0; channel < channels; channel++)                                                   \
                for (int64_t place = 0; place < inner; place++) {                                                      \
                    const float steps = *values++ / scales[channel];                                                   \
                    const float held = steps != steps ? 0.0f : steps > 1000.0f ? 1000.0f : steps < -1000.0f ? -1000.0f : steps; \
                    const int32_t whole = (int32_t)sima_round(held) + zeros[channel];                                  \
                    *results++ = (type)(whole < least ? least : whole > most ? most : whole);                          \
                }                                                                                                      \
    }

#define SIMA_DEQUANTIZE(name, type)                                                                                    \
    SIMA_KERNEL void name(const type *values, const float *scales, const type *zeros, float *results, int64_t outer,       \
                     int64_t channels, int64_t inner)                                                                  \
    {                                                                                                                  \
        for (int64_t row = 0; row < outer; row++)                                                                      \
            for (int64_t channel = 0; channel < channels; channel++)                                                   \
                for (int64_t place = 0; place < inner; place++)                                                        \
                    *results++ = (float)((int32_t)*values++ - (int32_t)zeros[channel]) * scales[channel];              \
    }

#endif
