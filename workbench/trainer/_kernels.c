/* Two approximate tanh as NumPy ufuncs, `fast` and `faster`, for float32 and float64.
 *
 * The formulas are those of P. Mineiro's fastapprox: exp through the bit pattern of a float32, with a
 * rational correction (`fast`) or with none (`faster`), and tanh(x) = -1 + 2 / (1 + exp(-2x)).
 * As published they clip on one side only. Here the argument is clamped to [-10, 10], where both give
 * exactly -1 and +1 in float32; so infinities give -1 and +1, and NaN stays NaN.
 *
 * Everything is computed in float32, also for float64 arrays: the error of the formulas is far above
 * float32's, and half the bytes are twice the lanes. The loops have no branch, so that a compiler turns
 * them into vector code; on x86-64 with gcc and glibc the widest vectors of the machine are picked when
 * the module is loaded. Contraction to fused multiply-add is off (see setup.py), therefore every
 * machine and the NumPy version in `_numpy_kernels.py` give the same bits.
 */
#define PY_SSIZE_T_CLEAN
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#include <Python.h>

#include <fenv.h>
#include <stdint.h>
#include <string.h>

#include <numpy/ndarraytypes.h>
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define WIDEST_VECTORS __attribute__((target_clones("default", "avx2", "arch=x86-64-v4"), noinline))
#elif defined(__GNUC__)
#define WIDEST_VECTORS __attribute__((noinline))
#else
#define WIDEST_VECTORS
#endif

/* NumPy hands over arrays that are either apart or exactly the same one, so no element depends on an
 * earlier one; without this hint gcc takes the scalar path for in-place calls. */
#if defined(__clang__)
#define INDEPENDENT_ELEMENTS _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define INDEPENDENT_ELEMENTS _Pragma("GCC ivdep")
#else
#define INDEPENDENT_ELEMENTS
#endif

#define BITS_OF_TEN 0x41200000
#define BITS_OF_INFINITY 0x7f800000
#define MAGNITUDE_MASK 0x7fffffff
#define SIGN_MASK (-0x7fffffff - 1)
#define MINUS_TWO_LOG2_E (-2.885390080f)
#define TWO_TO_23 8388608.0f

static inline float
from_bits(int32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline int32_t
to_bits(float value)
{
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The magnitudes of floats are ordered as their bit patterns are, with infinity and NaN on top. So this
 * is one integer minimum, and NaN becomes a bound (converting NaN to an integer would be undefined).
 * Of two float comparisons gcc makes branches that skip the formula, and then no vectors. */
static inline float
clamp(float x)
{
    int32_t bits = to_bits(x);
    int32_t magnitude = bits & MAGNITUDE_MASK;
    magnitude = magnitude < BITS_OF_TEN ? magnitude : BITS_OF_TEN;
    return from_bits(magnitude | (bits & SIGN_MASK));
}

/* NaN is put back with a mask: around `x == x ? t : x` gcc makes a branch, and then no vectors. */
static inline float
tanh_from_exp(float x, float exp_of_minus_2x)
{
    float t = -1.0f + 2.0f / (1.0f + exp_of_minus_2x);
    int32_t if_nan = -(int32_t)((to_bits(x) & MAGNITUDE_MASK) > BITS_OF_INFINITY);
    return from_bits((to_bits(t) & ~if_nan) | (to_bits(x) & if_nan));
}

static inline float
fast_tanh(float x)
{
    float p = MINUS_TWO_LOG2_E * clamp(x);
    float z = p - (float)(int32_t)p + (p < 0.0f ? 1.0f : 0.0f);
    float exponent = p + 121.2740575f + 27.7280233f / (4.84252568f - z) - 1.49012907f * z;
    return tanh_from_exp(x, from_bits((int32_t)(TWO_TO_23 * exponent)));
}

static inline float
faster_tanh(float x)
{
    float p = MINUS_TWO_LOG2_E * clamp(x);
    return tanh_from_exp(x, from_bits((int32_t)(TWO_TO_23 * (p + 126.94269504f))));
}

/* Comparing NaN and narrowing a large double set flags which NumPy would report as warnings; here they
 * are part of the method. Clearing is slow, testing is not. */
static inline void
clear_float_flags(void)
{
    const int reported = FE_INVALID | FE_OVERFLOW | FE_UNDERFLOW | FE_DIVBYZERO;
    if (fetestexcept(reported)) {
        feclearexcept(reported);
    }
}

#define DEFINE_LOOP(kernel, type)                                                                  \
    WIDEST_VECTORS void kernel##_contiguous_##type(const type *in, type *out, npy_intp n)          \
    {                                                                                              \
        INDEPENDENT_ELEMENTS                                                                       \
        for (npy_intp i = 0; i < n; i++) {                                                         \
            out[i] = (type)kernel##_tanh((float)in[i]);                                            \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    static void kernel##_loop_##type(char **args, npy_intp const *dimensions,                      \
                                     npy_intp const *steps, void *Py_UNUSED(data))                 \
    {                                                                                              \
        const npy_intp n = dimensions[0], in_step = steps[0], out_step = steps[1];                 \
        const char *in = args[0];                                                                  \
        char *out = args[1];                                                                       \
        if (in_step == (npy_intp)sizeof(type) && out_step == (npy_intp)sizeof(type)) {             \
            kernel##_contiguous_##type((const type *)in, (type *)out, n);                          \
        }                                                                                          \
        else {                                                                                     \
            for (npy_intp i = 0; i < n; i++, in += in_step, out += out_step) {                     \
                *(type *)out = (type)kernel##_tanh((float)*(const type *)in);                      \
            }                                                                                      \
        }                                                                                          \
        clear_float_flags();                                                                       \
    }

#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif
DEFINE_LOOP(fast, float)
DEFINE_LOOP(fast, double)
DEFINE_LOOP(faster, float)
DEFINE_LOOP(faster, double)
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

static PyUFuncGenericFunction fast_loops[] = {fast_loop_float, fast_loop_double};
static PyUFuncGenericFunction faster_loops[] = {faster_loop_float, faster_loop_double};
static const char loop_types[] = {NPY_FLOAT, NPY_FLOAT, NPY_DOUBLE, NPY_DOUBLE};
static void *const loop_data[] = {NULL, NULL};

static int
add_ufunc(PyObject *module, PyUFuncGenericFunction *loops, const char *name, const char *doc)
{
    PyObject *ufunc = PyUFunc_FromFuncAndData(loops, loop_data, loop_types, 2, 1, 1, PyUFunc_None, name, doc, 0);
    if (ufunc == NULL) {
        return -1;
    }
    int failed = PyModule_AddObjectRef(module, name, ufunc);
    Py_DECREF(ufunc);
    return failed;
}

static int
kernels_exec(PyObject *module)
{
    if (PyArray_ImportNumPyAPI() < 0 || PyUFunc_ImportUFuncAPI() < 0) {
        return -1;
    }
    if (add_ufunc(module, fast_loops, "fast", "Approximate tanh, error below 3.1e-5 (Mineiro, fasttanh).") < 0) {
        return -1;
    }
    return add_ufunc(module, faster_loops, "faster", "Approximate tanh, error below 2.1e-2 (Mineiro, fastertanh).");
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, kernels_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED}, /* NumPy is not either */
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_kernels",
    .m_doc = "Approximate tanh as NumPy ufuncs.",
    .m_size = 0,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__kernels(void)
{
    return PyModuleDef_Init(&definition);
}
