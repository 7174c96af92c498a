/* The tanh kernels, included once for each instruction set (see `_kernels.c`): formulas and loops.
 *
 * Whoever includes this defines LEVEL(name), which makes a name of this instruction set, and
 * FUSED(a, b, c) = a·b + c: one rounding where the processor has the instruction, else two.
 *
 * fast, faster: P. Mineiro's fastapprox, exp through the bit pattern of a float32, with a rational
 * correction (`fast`) or with none, and tanh(x) = -1 + 2 / (1 + exp(-2x)). As published they clip on one
 * side only. Here the argument is clamped to [-10, 10], where both give exactly -1 and +1 in float32.
 * They are computed in float32, also for float64 arrays: their error is far above float32's, and half
 * the bytes are twice the lanes.
 *
 * tanh_1e4, tanh_1e7, tanh_1e12: x·p(u)/q(u) with u = x², coefficients by `benchmarks/fit_tanh.py`. From a
 * bound of u on they are ±1; before it the quotient is smaller than 1 by more than its rounding. NaN is not
 * above the bound and goes through the factor x. Where u or q overflows the quotient is not used.
 *
 * Nothing branches, so that a compiler makes vector code of the loops. (Of a minimum of floating-point numbers
 * gcc makes comparisons with more care for NaN than is needed here; so there is none.)
 */

static inline float
LEVEL(fast)(float x)
{
    float p = MINUS_TWO_LOG2_E * clamp_to_ten(x);
    float z = p - (float)(int32_t)p + (p < 0.0f ? 1.0f : 0.0f);
    float exponent = p + 121.2740575f + 27.7280233f / (4.84252568f - z) - 1.49012907f * z;
    return tanh_from_exp(x, float_of((int32_t)(TWO_TO_23 * exponent)));
}

static inline float
LEVEL(faster)(float x)
{
    float p = MINUS_TWO_LOG2_E * clamp_to_ten(x);
    return tanh_from_exp(x, float_of((int32_t)(TWO_TO_23 * (p + 126.94269504f))));
}

/* Horner's scheme; the degrees are constants, so it is unrolled. */
static inline double
LEVEL(polynomial)(const double *coefficients, int degree, double u)
{
    double value = coefficients[degree];
    for (int k = degree - 1; k >= 0; k--) {
        value = FUSED(value, u, coefficients[k]);
    }
    return value;
}

/* 1/q for q > 0 to 1.3e-4. Subtracting the bits negates the exponent and, nearly, the mantissa, which errs by
 * 5.1e-2 at most; a step of third order follows. With one or two steps more it is quicker than a division. */
static inline double
LEVEL(rough_reciprocal)(double q)
{
    double r = double_of(RECIPROCAL_BITS - bits_of(q));
    double error = FUSED(-q, r, 1.0);
    return FUSED(FUSED(error, error, error), r, r);
}

/* In float32, and unfused: it is quick enough so, and its bits are the same on every machine. */
static inline float
LEVEL(tanh_1e4)(float x)
{
    float u = x * x;
    float p = tanh_1e4_p[TANH_1E4_DEGREE], q = tanh_1e4_q[TANH_1E4_DEGREE];
    for (int k = TANH_1E4_DEGREE - 1; k >= 0; k--) {
        p = p * u + tanh_1e4_p[k];
        q = q * u + tanh_1e4_q[k];
    }
    float t = x * p / q;
    return u >= TANH_1E4_BOUND ? copysignf(1.0f, x) : t;
}

static inline double
LEVEL(tanh_1e7)(double x)
{
    double u = x * x;
    double p = LEVEL(polynomial)(tanh_1e7_p, TANH_1E7_DEGREE, u);
    double q = LEVEL(polynomial)(tanh_1e7_q, TANH_1E7_DEGREE, u);
    double r = LEVEL(rough_reciprocal)(q);
    double error = FUSED(-q, r, 1.0);
    r = FUSED(FUSED(error, error, error), r, r); /* to 2e-12: an error with kinks, as it is, has steep slopes */
    double t = x * p * r;
    return u >= TANH_1E7_BOUND ? copysign(1.0, x) : t;
}

static inline double
LEVEL(tanh_1e12)(double x)
{
    double u = x * x;
    double p = LEVEL(polynomial)(tanh_1e12_p, TANH_1E12_DEGREE, u);
    double q = LEVEL(polynomial)(tanh_1e12_q, TANH_1E12_DEGREE, u);
    double r = LEVEL(rough_reciprocal)(q);
    r *= FUSED(-q, r, 2.0); /* Newton's step, twice: to 1.7e-8, and to 3e-16 */
    double t = x * p * (r * FUSED(-q, r, 2.0));
    return u >= TANH_1E12_BOUND ? copysign(1.0, x) : t;
}

#define DEFINE_LOOPS(kernel, inner, type)                                                               \
    static NOT_INLINED void LEVEL(kernel##_of_##type)(const type *in, type *value, npy_intp n)          \
    {                                                                                                   \
        INDEPENDENT_ELEMENTS                                                                            \
        for (npy_intp i = 0; i < n; i++) {                                                              \
            value[i] = (type)LEVEL(kernel)((inner)in[i]);                                               \
        }                                                                                               \
    }

#define LOOPS(kernel, name, doc) {name, doc, LEVEL(kernel##_of_float), LEVEL(kernel##_of_double)}

DEFINE_LOOPS(fast, float, float)
DEFINE_LOOPS(fast, float, double)
DEFINE_LOOPS(faster, float, float)
DEFINE_LOOPS(faster, float, double)
DEFINE_LOOPS(tanh_1e4, float, float)
DEFINE_LOOPS(tanh_1e4, float, double)
DEFINE_LOOPS(tanh_1e7, double, float)
DEFINE_LOOPS(tanh_1e7, double, double)
DEFINE_LOOPS(tanh_1e12, double, float)
DEFINE_LOOPS(tanh_1e12, double, double)

static kernel_loops LEVEL(kernels)[KERNELS] = {
    LOOPS(fast, "fast", "Approximate tanh, error below 3.1e-5 (Mineiro, fasttanh)."),
    LOOPS(faster, "faster", "Approximate tanh, error below 2.1e-2 (Mineiro, fastertanh)."),
    LOOPS(tanh_1e4, "tanh_1e4", "Rational tanh, absolute and relative error below 1e-4."),
    LOOPS(tanh_1e7, "tanh_1e7", "Rational tanh, absolute and relative error below 1e-7."),
    LOOPS(tanh_1e12, "tanh_1e12", "Rational tanh, absolute and relative error below 1e-12."),
};

#undef DEFINE_LOOPS
#undef LOOPS
