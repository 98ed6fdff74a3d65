/* Functions of float32, operation by operation as in sim/host/functions.py. */
#ifndef SIMA_FUNCTIONS_H
#define SIMA_FUNCTIONS_H

#include "base.h"

#define SIMA_INFINITY __builtin_inff()
#define SIMA_NAN __builtin_nanf("")

static inline int32_t sima_bits(float x)
{
    int32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float sima_from_bits(int32_t bits)
{
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

static inline int64_t sima_bits64(double x)
{
    int64_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double sima_from_bits64(int64_t bits)
{
    double x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float sima_abs(float x)
{
    return sima_from_bits(sima_bits(x) & INT32_C(0x7fffffff));
}

/* The size of one number with the sign of the other. */
static inline float sima_signed(float size, float sign)
{
    return sima_from_bits((sima_bits(size) & INT32_C(0x7fffffff)) | (sima_bits(sign) & INT32_MIN));
}

static inline float sima_sqrt(float x)
{
    return __builtin_sqrtf(x);
}

/* 2 to the power of an integer from -126 to 127. */
static inline float sima_power_of_two(int32_t exponent)
{
    return sima_from_bits((int32_t)((uint32_t)(exponent + 127) << 23));
}

static inline float sima_polynomial(float x, const float *coefficients, int count)
{
    float result = coefficients[count - 1];
    for (int place = count - 2; place >= 0; place--)
        result = result * x + coefficients[place];
    return result;
}

static inline double sima_polynomial64(double x, const double *coefficients, int count)
{
    double result = coefficients[count - 1];
    for (int place = count - 2; place >= 0; place--)
        result = result * x + coefficients[place];
    return result;
}

static const float SIMA_EXP[] = {@EXP@};
static const float SIMA_LOG[] = {@LOG@};
static const float SIMA_TANH[] = {@TANH@};
static const float SIMA_ERF[] = {@ERF@};
static const float SIMA_ERF_FAR[] = {@ERF_FAR@};
static const double SIMA_LOG64[7] = {1.0 / 3, 1.0 / 5, 1.0 / 7, 1.0 / 9, 1.0 / 11, 1.0 / 13, 1.0 / 15};
static const double SIMA_EXP64[10] = {0.5, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320,
                                      1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800};

static inline float sima_exp(float x)
{
    if (x != x)
        return x;
    const float held = x > 89.0f ? 89.0f : x < -104.0f ? -104.0f : x;
    const float turns = (held * 1.4426950216293335f + 12582912.0f) - 12582912.0f;
    const float rest = (held - turns * 0.693359375f) - turns * -0.00021219444170128554f;
    const float value = (sima_polynomial(rest, SIMA_EXP, 5) * (rest * rest) + rest) + 1.0f;
    const int32_t whole = (int32_t)turns;
    const int32_t half = whole >> 1;
    return (value * sima_power_of_two(half)) * sima_power_of_two(whole - half);
}

static inline float sima_log(float x)
{
    if (!(x > 0.0f && x < SIMA_INFINITY))
        return x == 0.0f ? -SIMA_INFINITY : x > 0.0f ? x : SIMA_NAN;
    const int is_tiny = x < 0x1p-126f;
    const int32_t bits = sima_bits(is_tiny ? x * 0x1p23f : x);
    int32_t exponent = (bits >> 23) - (is_tiny ? 150 : 127);
    float mantissa = sima_from_bits((bits & 0x7fffff) | 0x3f800000);
    if (mantissa > 1.4142135f) {
        mantissa = mantissa * 0.5f;
        exponent++;
    }
    const float turns = (float)exponent;
    const float rest = mantissa - 1.0f;
    const float square = rest * rest;
    const float tail = ((sima_polynomial(rest, SIMA_LOG, 9) * rest) * square + turns * -0.00021219444170128554f) - 0.5f * square;
    return (rest + tail) + turns * 0.693359375f;
}

static inline float sima_softplus(float x)
{
    const float small = sima_exp(-sima_abs(x));
    const float whole = 1.0f + small;
    const float lost = whole - 1.0f;
    const float rest = lost == 0.0f ? small : sima_log(whole) * (small / lost);
    return (x > 0.0f ? x : 0.0f) + rest;
}

static inline float sima_tanh(float x)
{
    const float size = sima_abs(x);
    if (size < 0.625f) {
        const float square = x * x;
        return sima_signed((sima_polynomial(square, SIMA_TANH, 5) * square) * x + x, x);
    }
    const float far = 1.0f - 2.0f / (sima_exp(size + size) + 1.0f);
    return x < 0.0f ? -far : far;
}

static inline float sima_erf(float x)
{
    const float size = sima_abs(x);
    if (size < 1.0f)
        return sima_polynomial(x * x, SIMA_ERF, 7) * x + x;
    const float held = size > 4.0f ? 4.0f : size;
    const float far = 1.0f - sima_exp(sima_polynomial(held, SIMA_ERF_FAR, 8));
    return x < 0.0f ? -far : far;
}

static inline float sima_sigmoid(float x)
{
    return 1.0f / (1.0f + sima_exp(-x));
}

static inline float sima_floor(float x)
{
    if (!(sima_abs(x) < 8388608.0f))
        return x;
    const float whole = (float)(int32_t)x;
    return sima_signed(whole > x ? whole - 1.0f : whole, x);
}

static inline float sima_ceil(float x)
{
    return -sima_floor(-x);
}

/* The nearest integer, ties to even. */
static inline float sima_round(float x)
{
    const float size = sima_abs(x);
    return size < 8388608.0f ? sima_signed((size + 8388608.0f) - 8388608.0f, x) : x;
}

static inline float sima_hard_sigmoid(float x, float alpha, float beta)
{
    const float line = alpha * x + beta;
    return line < 0.0f ? 0.0f : line > 1.0f ? 1.0f : line;
}

static inline float sima_elu(float x, float alpha)
{
    return x < 0.0f ? alpha * (sima_exp(x) - 1.0f) : x;
}

static inline float sima_gelu(float x)
{
    return (x * 0.5f) * (sima_erf(x * 0.70710677f) + 1.0f);
}

static inline float sima_gelu_by_tanh(float x)
{
    const float inner = (x + ((x * x) * x) * 0.044715f) * 0.7978846f;
    return (x * 0.5f) * (sima_tanh(inner) + 1.0f);
}

static inline double sima_log64(double x)
{
    const int64_t bits = sima_bits64(x);
    int64_t exponent = (bits >> 52) - 1023;
    double mantissa = sima_from_bits64((bits & INT64_C(0xfffffffffffff)) | INT64_C(0x3ff0000000000000));
    if (mantissa > 1.4142135623730951) {
        mantissa = mantissa * 0.5;
        exponent++;
    }
    const double s = (mantissa - 1.0) / (mantissa + 1.0);
    const double square = s * s;
    return ((sima_polynomial64(square, SIMA_LOG64, 7) * square) * s + s) * 2.0 + (double)exponent * 0.6931471805599453;
}

static inline double sima_exp64(double x)
{
    const double held = x > 100.0 ? 100.0 : x < -120.0 ? -120.0 : x;
    const double turns = (held * 1.4426950408889634 + 6755399441055744.0) - 6755399441055744.0;
    const double rest = (held - turns * 0.6931471803691238) - turns * 1.9082149292705877e-10;
    const double value = (sima_polynomial64(rest, SIMA_EXP64, 10) * (rest * rest) + rest) + 1.0;
    return value * sima_from_bits64((int64_t)((uint64_t)((int64_t)turns + 1023) << 52));
}

static inline int sima_is_whole(float x)
{
    return sima_floor(x) == x;
}

static inline float sima_power(float x, float y)
{
    if (x == 1.0f || y == 0.0f)
        return 1.0f;
    if (x != x || y != y)
        return SIMA_NAN;
    const float size = sima_abs(x);
    float value;
    if (size > 0.0f && size < SIMA_INFINITY && sima_abs(y) < SIMA_INFINITY)
        value = (float)sima_exp64(sima_log64((double)size) * (double)y);
    else
        value = size == 1.0f ? 1.0f : (size > 1.0f) == (y > 0.0f) ? SIMA_INFINITY : 0.0f;
    const int is_whole = sima_is_whole(y);
    if (sima_bits(x) < 0 && is_whole && !sima_is_whole(y * 0.5f))
        value = -value;
    return x < 0.0f && size < SIMA_INFINITY && !is_whole ? SIMA_NAN : value;
}

/* The rest of a division that cuts towards 0, exactly: the divisor is taken off, halved from as far above as it fits. */
static inline float sima_remainder(float x, float y)
{
    double rest = (double)sima_abs(x);
    const double part = (double)sima_abs(y);
    if (x != x || y != y || !(rest < (double)SIMA_INFINITY) || part == 0.0)
        return SIMA_NAN;
    if (part < (double)SIMA_INFINITY && rest >= part) {
        double taken = part;
        while (taken <= rest * 0.5)
            taken = taken * 2.0;
        for (; taken >= part; taken = taken * 0.5)
            if (rest >= taken)
                rest = rest - taken;
    }
    return sima_signed((float)rest, x);
}

/* Conversions to integers: towards 0, held in range, NaN as 0. */
static inline int64_t sima_to_int64(float x)
{
    if (x != x)
        return 0;
    return x >= 0x1p63f ? INT64_MAX : x < -0x1p63f ? INT64_MIN : (int64_t)x;
}

static inline int32_t sima_to_int32(float x)
{
    const int64_t whole = sima_to_int64(x);
    return whole > INT32_MAX ? INT32_MAX : whole < INT32_MIN ? INT32_MIN : (int32_t)whole;
}

static inline int8_t sima_to_int8(float x)
{
    const int64_t whole = sima_to_int64(x);
    return whole > INT8_MAX ? INT8_MAX : whole < INT8_MIN ? INT8_MIN : (int8_t)whole;
}

static inline uint8_t sima_to_uint8(float x)
{
    const int64_t whole = sima_to_int64(x);
    return whole > UINT8_MAX ? UINT8_MAX : whole < 0 ? 0 : (uint8_t)whole;
}

/* Integers in the order of the numbers: -0 and 0 are one, a NaN is above all others. */
static inline int64_t sima_key(float x)
{
    if (x != x)
        return INT64_C(0x7f800001);
    const int64_t bits = sima_bits(x + 0.0f);
    return bits < 0 ? -(bits & INT64_C(0x7fffffff)) : bits;
}

/* Quotients of integers, towards 0; by 0 it is 0, and the least number by -1 wraps. */
static inline int64_t sima_divide64(int64_t x, int64_t y)
{
    return y == 0 ? 0 : y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y;
}

static inline int32_t sima_divide32(int32_t x, int32_t y)
{
    return y == 0 ? 0 : y == -1 ? (int32_t)(0 - (uint32_t)x) : x / y;
}

static inline int64_t sima_rest64(int64_t x, int64_t y)
{
    return y == 0 ? x : y == -1 ? 0 : x % y;
}

/* The rest with the sign of the divisor. */
static inline int64_t sima_modulo64(int64_t x, int64_t y)
{
    const int64_t rest = sima_rest64(x, y);
    return rest != 0 && (rest < 0) != (y < 0) ? (int64_t)((uint64_t)rest + (uint64_t)y) : rest;
}

#endif
