/* LSTM and GRU, one sample of one direction after the other. A gate is a sum in double (the biases, products with the input, then
 * with the state), rounded once. */
#ifndef SIMA_RECURRENT_H
#define SIMA_RECURRENT_H

#include "functions.h"

typedef struct {
    int64_t steps, batch, inputs, hidden;
    int directions, is_reverse, is_linear;
} sima_recurrence;

/* Parameters of one direction; NULL where there is none. */
typedef struct {
    const float *weights, *recurrence, *bias, *peepholes;
} sima_gates;

SIMA_KERNEL double sima_add_products(double sum, const float *a, const float *b, int64_t count)
{
    for (int64_t k = 0; k < count; k++)
        sum += (double)a[k] * (double)b[k];
    return sum;
}

static inline double sima_bias(const float *bias, int64_t place)
{
    return bias ? (double)bias[place] : 0.0;
}

/* One gate: row `row` of the weights times the input, and times the state. */
SIMA_KERNEL float sima_gate(const sima_recurrence *r, const sima_gates *g, int64_t gates, int64_t row, const float *x,
                       const float *state)
{
    double sum = sima_bias(g->bias, row) + sima_bias(g->bias, gates * r->hidden + row);
    sum = sima_add_products(sum, x, g->weights + row * r->inputs, r->inputs);
    return (float)sima_add_products(sum, state, g->recurrence + row * r->hidden, r->hidden);
}

/* Gates in ONNX's order: input, output, forget, cell. `gates` has room for four of each hidden value. */
SIMA_KERNEL void sima_lstm_step(const sima_recurrence *r, const sima_gates *g, const float *x, float *state, float *cell, float *gates)
{
    const int64_t h = r->hidden;
    for (int64_t row = 0; row < 4 * h; row++)
        gates[row] = sima_gate(r, g, 4, row, x, state);
    for (int64_t k = 0; k < h; k++) {
        float entry = gates[k], out = gates[h + k], forget = gates[2 * h + k];
        if (g->peepholes) {
            entry = entry + g->peepholes[k] * cell[k];
            forget = forget + g->peepholes[2 * h + k] * cell[k];
        }
        cell[k] = sima_sigmoid(forget) * cell[k] + sima_sigmoid(entry) * sima_tanh(gates[3 * h + k]);
        if (g->peepholes)
            out = out + g->peepholes[h + k] * cell[k];
        state[k] = sima_sigmoid(out) * sima_tanh(cell[k]);
    }
}

/* Gates in ONNX's order: update, reset, hidden. */
SIMA_KERNEL void sima_gru_step(const sima_recurrence *r, const sima_gates *g, const float *x, float *state, float *gates)
{
    const int64_t h = r->hidden;
    float *const update = gates, *const reset = gates + h, *const held = gates + 2 * h, *const fresh = gates + 3 * h;
    for (int64_t row = 0; row < 2 * h; row++)
        gates[row] = sima_sigmoid(sima_gate(r, g, 3, row, x, state));
    for (int64_t k = 0; k < h; k++)
        held[k] = reset[k] * state[k];
    for (int64_t k = 0; k < h; k++) {
        const int64_t row = 2 * h + k;
        if (r->is_linear) {
            const double inner = sima_add_products(sima_bias(g->bias, 3 * h + row), state, g->recurrence + row * h, h);
            const double outer = sima_add_products(sima_bias(g->bias, row), x, g->weights + row * r->inputs, r->inputs);
            fresh[k] = (float)outer + reset[k] * (float)inner;
        } else {
            fresh[k] = sima_gate(r, g, 3, row, x, held);
        }
    }
    for (int64_t k = 0; k < h; k++)
        state[k] = (1.0f - update[k]) * sima_tanh(fresh[k]) + update[k] * state[k];
}

/* `cells` is NULL for a GRU. States and cells start as they are; results beyond a sample's length are 0; `scratch` has room for
 * four of each hidden value. */
SIMA_KERNEL void sima_recur(const sima_recurrence *r, const float *x, const sima_gates *parameters, const int32_t *lengths,
                       float *results, float *states, float *cells, float *scratch)
{
    const int64_t h = r->hidden;
    for (int64_t place = 0; place < r->steps * r->directions * r->batch * h; place++)
        results[place] = 0.0f;
    for (int direction = 0; direction < r->directions; direction++)
        for (int64_t sample = 0; sample < r->batch; sample++) {
            const int64_t length = lengths ? lengths[sample] : r->steps;
            float *const state = states + (direction * r->batch + sample) * h;
            for (int64_t turn = 0; turn < length; turn++) {
                const int64_t step = direction == 1 || r->is_reverse ? length - 1 - turn : turn;
                const float *const input = x + (step * r->batch + sample) * r->inputs;
                if (cells)
                    sima_lstm_step(r, parameters + direction, input, state, cells + (direction * r->batch + sample) * h, scratch);
                else
                    sima_gru_step(r, parameters + direction, input, state, scratch);
                sima_copy(results + ((step * r->directions + direction) * r->batch + sample) * h, state, h * (int64_t)sizeof(float));
            }
        }
}

/* The first states: those given, or zeros. */
SIMA_KERNEL void sima_start(float *states, const float *given, int64_t count)
{
    for (int64_t place = 0; place < count; place++)
        states[place] = given ? given[place] : 0.0f;
}

#endif
