/* The passes of `_passes.c` for one instruction set: included once for each, with LEVEL(name) giving its names.
 *
 * All work is done on blocks of a few columns, which stay in the core's own cache. In a block a unit's values lie side
 * by side, `width` of them; columns beyond the data are zeros.
 */

/* m × n values of M, at any strides, times n rows of `in`; written to `rows` rows of `out`, or added to them. */
static inline ALWAYS_INLINE void
LEVEL(product_of_rows)(const matrix M, npy_intp n, const double *in, double *out, npy_intp width, int add,
                       const int rows)
{
    for (npy_intp c = 0; c < width; c += 2 * VECTOR) {
        vector sums[TILE][2];
        for (int q = 0; q < rows; q++) {
            sums[q][0] = add ? *(vector *)(out + q * width + c) : (vector){0};
            sums[q][1] = add ? *(vector *)(out + q * width + c + VECTOR) : (vector){0};
        }
        for (npy_intp i = 0; i < n; i++) {
            const vector left = *(const vector *)(in + i * width + c);
            const vector right = *(const vector *)(in + i * width + c + VECTOR);
            for (int q = 0; q < rows; q++) {
                const double factor = M.first[q * M.row + i * M.column];
                sums[q][0] += factor * left;
                sums[q][1] += factor * right;
            }
        }
        for (int q = 0; q < rows; q++) {
            *(vector *)(out + q * width + c) = sums[q][0];
            *(vector *)(out + q * width + c + VECTOR) = sums[q][1];
        }
    }
}

/* out, m rows, becomes M·in, or has it added; in has n rows. */
static void
LEVEL(product)(matrix M, npy_intp m, npy_intp n, const double *in, double *out, npy_intp width, int add)
{
    npy_intp j = 0;
    for (; j + TILE <= m; j += TILE, M.first += TILE * M.row, out += TILE * width) {
        LEVEL(product_of_rows)(M, n, in, out, width, add, TILE);
    }
    for (; j < m; j++, M.first += M.row, out += width) {
        LEVEL(product_of_rows)(M, n, in, out, width, add, 1);
    }
}

static inline double
LEVEL(sum_of)(const vector *given)
{
    const vector v = *given;
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

/* Add the products of each row of `deltas` with each of `below`, summed over a block, to weights; sums to biases. */
static void
LEVEL(add_products)(const double *deltas, npy_intp units, const double *below, npy_intp inputs, double *weights,
                    double *biases)
{
    for (npy_intp j = 0; j < units; j++, deltas += BLOCK, weights += inputs) {
        vector sum = {0};
        for (npy_intp c = 0; c < BLOCK; c += VECTOR) {
            sum += *(const vector *)(deltas + c);
        }
        biases[j] += LEVEL(sum_of)(&sum);
        npy_intp i = 0;
        for (; i + TILE <= inputs; i += TILE) {
            vector sums[TILE] = {{0}, {0}, {0}, {0}};
            for (npy_intp c = 0; c < BLOCK; c += VECTOR) {
                const vector delta = *(const vector *)(deltas + c);
                for (int q = 0; q < TILE; q++) {
                    sums[q] += delta * *(const vector *)(below + (i + q) * BLOCK + c);
                }
            }
            for (int q = 0; q < TILE; q++) {
                weights[i + q] += LEVEL(sum_of)(&sums[q]);
            }
        }
        for (; i < inputs; i++) {
            sum = (vector){0};
            for (npy_intp c = 0; c < BLOCK; c += VECTOR) {
                sum += *(const vector *)(deltas + c) * *(const vector *)(below + i * BLOCK + c);
            }
            weights[i] += LEVEL(sum_of)(&sum);
        }
    }
}

/* Multiply by the slope at values a; NaN stays NaN, also as relu's value. */
static void
LEVEL(multiply_by_slope)(char activation, double *restrict deltas, const double *restrict a, npy_intp count)
{
    if (activation == TANH) {
        for (npy_intp i = 0; i < count; i++) {
            deltas[i] *= 1.0 - a[i] * a[i];
        }
    } else if (activation == SIGMOID) {
        for (npy_intp i = 0; i < count; i++) {
            deltas[i] *= a[i] * (1.0 - a[i]);
        }
    } else if (activation == RELU) {
        for (npy_intp i = 0; i < count; i++) {
            deltas[i] *= a[i] > 0.0 ? 1.0 : a[i];
        }
    }
}

/* From first and half the second derivative of a layer's input to those of its values a. */
static void
LEVEL(bend)(char activation, double *restrict first, double *restrict half, const double *restrict a, npy_intp count)
{
    if (activation == TANH) {
        for (npy_intp i = 0; i < count; i++) {
            const double slope = 1.0 - a[i] * a[i];
            half[i] = slope * (half[i] - a[i] * (first[i] * first[i]));
            first[i] *= slope;
        }
    } else if (activation == SIGMOID) {
        for (npy_intp i = 0; i < count; i++) {
            const double slope = a[i] * (1.0 - a[i]);
            half[i] = slope * (half[i] + (0.5 - a[i]) * (first[i] * first[i]));
            first[i] *= slope;
        }
    } else if (activation == RELU) {
        for (npy_intp i = 0; i < count; i++) {
            const double slope = a[i] > 0.0 ? 1.0 : a[i];
            half[i] *= slope;
            first[i] *= slope;
        }
    }
}

/* r″/2 by forward mode: z′ = Va + c + Wa′ and z″/2 = Va′ + Wa″/2 for the parts V, c of the velocity. */
static void
LEVEL(second_derivative)(const network *net, const double *parameters, const double *velocity, const rows_of *values,
                         rows_of out, double *room)
{
    double *below = room, *here = below + net->widest * BLOCK, *first[2], *half[2];
    first[0] = here + net->widest * BLOCK, first[1] = first[0] + net->widest * BLOCK;
    half[0] = first[1] + net->widest * BLOCK, half[1] = half[0] + net->widest * BLOCK;
    for (npy_intp c = 0; c < net->rows; c += BLOCK) {
        const npy_intp count = least(net->rows - c, BLOCK);
        load(values[0], net->units[0], c, count, BLOCK, below);
        int now = 0;
        for (int layer = 0; layer < net->layers; layer++, now = !now) {
            const npy_intp inputs = net->units[layer], units = net->units[layer + 1], at = net->starts[layer];
            const matrix W = {parameters + at, inputs, 1}, V = {velocity + at, inputs, 1};
            const double *c_of = velocity + at + inputs * units;
            for (npy_intp j = 0; j < units * BLOCK; j++) {
                first[now][j] = c_of[j / BLOCK];
            }
            LEVEL(product)(V, units, inputs, below, first[now], BLOCK, 1);
            if (layer == 0) {
                memset(half[now], 0, units * BLOCK * sizeof(double));
            } else {
                LEVEL(product)(W, units, inputs, first[!now], first[now], BLOCK, 1);
                LEVEL(product)(V, units, inputs, first[!now], half[now], BLOCK, 0);
                LEVEL(product)(W, units, inputs, half[!now], half[now], BLOCK, 1);
            }
            load(values[layer + 1], units, c, count, BLOCK, here);
            LEVEL(bend)(net->activations[layer], first[now], half[now], here, units * BLOCK);
            double *const loaded = here;
            here = below, below = loaded;
        }
        for (npy_intp j = 0; j < net->units[net->layers]; j++) {
            for (npy_intp q = 0; q < count; q++) {
                out.first[j * out.row + c + q] = 2.0 * half[!now][j * BLOCK + q];
            }
        }
    }
}

/* Jᵀ·seed by backpropagation, summed over the columns block after block. */
static void
LEVEL(gradient)(const network *net, const double *parameters, const rows_of *values, rows_of seed, double *sum,
                double *room)
{
    double *deltas = room, *next = deltas + net->widest * BLOCK, *here = next + net->widest * BLOCK,
           *below = here + net->widest * BLOCK;
    for (npy_intp c = 0; c < net->rows; c += BLOCK) {
        const npy_intp count = least(net->rows - c, BLOCK);
        load(seed, net->units[net->layers], c, count, BLOCK, deltas);
        load(values[net->layers], net->units[net->layers], c, count, BLOCK, here);
        for (int layer = net->layers - 1; layer >= 0; layer--) {
            const npy_intp inputs = net->units[layer], units = net->units[layer + 1], at = net->starts[layer];
            LEVEL(multiply_by_slope)(net->activations[layer], deltas, here, units * BLOCK);
            load(values[layer], inputs, c, count, BLOCK, below);
            LEVEL(add_products)(deltas, units, below, inputs, sum + at, sum + at + inputs * units);
            if (layer > 0) {
                const matrix transposed = {parameters + at, 1, inputs};
                LEVEL(product)(transposed, inputs, units, deltas, next, BLOCK, 0);
            }
            double *const done = deltas, *const loaded = here;
            deltas = next, next = done;
            here = below, below = loaded;
        }
    }
}

/* Write n products of two rows of a block; `out` is J's, which no block shares. */
static inline void
LEVEL(write_product)(const double *restrict a, const double *restrict b, double *restrict out, npy_intp n)
{
    for (npy_intp q = 0; q < n; q++) {
        out[q] = a[q] * b[q];
    }
}

/* J's columns as rows of `out`: for each sample and output the sensitivities, and their products with the inputs. */
static void
LEVEL(jacobian)(const network *net, const double *parameters, const rows_of *values, rows_of out, double *room)
{
    const npy_intp outputs = net->units[net->layers], columns = net->rows * outputs;
    double *deltas = room, *next = deltas + net->widest * WIDE_BLOCK, *here = next + net->widest * WIDE_BLOCK,
           *below = here + net->widest * WIDE_BLOCK;
    for (npy_intp c = 0; c < columns; c += WIDE_BLOCK) {
        const npy_intp count = least(columns - c, WIDE_BLOCK);
        /* Whole vectors alone, as far as they are needed: of few rows a block would be mostly empty. */
        const npy_intp width = (count + 2 * VECTOR - 1) / (2 * VECTOR) * (2 * VECTOR);
        memset(deltas, 0, outputs * width * sizeof(double));
        for (npy_intp q = 0, own = c % outputs; q < count; q++, own = own + 1 < outputs ? own + 1 : 0) {
            deltas[own * width + q] = 1.0;
        }
        load_repeated(values[net->layers], outputs, c, count, width, outputs, here);
        for (int layer = net->layers - 1; layer >= 0; layer--) {
            const npy_intp inputs = net->units[layer], units = net->units[layer + 1], at = net->starts[layer];
            LEVEL(multiply_by_slope)(net->activations[layer], deltas, here, units * width);
            load_repeated(values[layer], inputs, c, count, width, outputs, below);
            if (layer > 0) {
                const matrix transposed = {parameters + at, 1, inputs};
                LEVEL(product)(transposed, inputs, units, deltas, next, width, 0);
            }
            double *line = out.first + at * out.row + c;
            for (npy_intp j = 0; j < units; j++) {
                for (npy_intp i = 0; i < inputs; i++, line += out.row) {
                    LEVEL(write_product)(deltas + j * width, below + i * width, line, count);
                }
            }
            for (npy_intp j = 0; j < units; j++, line += out.row) {
                memcpy(line, deltas + j * width, count * sizeof(double));
            }
            double *const done = deltas, *const loaded = here;
            deltas = next, next = done;
            here = below, below = loaded;
        }
    }
}

static const passes LEVEL(passes) = {LEVEL(second_derivative), LEVEL(gradient), LEVEL(jacobian)};
