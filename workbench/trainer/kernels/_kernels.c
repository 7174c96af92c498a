/* Approximate tanh as NumPy ufuncs for float32 and float64: `fast`, `faster`, `tanh_1e4`, `tanh_1e7`, `tanh_1e12`.
 *
 * The formulas are in `_tanh_formulas.h`, which is included once for each instruction set: on x86-64 with gcc for
 * its four levels, elsewhere once. When the module is loaded the best that the processor knows becomes the module's
 * ufuncs; `levels` holds those of every level that it knows, by the level's name. The loops that NumPy calls are in
 * `_tanh_ufunc_loops.h`.
 *
 * The compiler contracts nothing to fused multiply-add by itself (see setup.py). `fast`, `faster` and `tanh_1e4`
 * use none: the same bits on every machine, and in `_numpy_kernels.py`. `tanh_1e7` and `tanh_1e12` use it where
 * the processor has it, since the limit of their speed is the count of operations; what they give then differs from
 * what they give without it by a few units in the last place.
 */
#define PY_SSIZE_T_CLEAN
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#include <Python.h>

#include <fenv.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <numpy/ndarraytypes.h>
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

#include "_tanh_coefficients.h"

#if defined(__GNUC__)
#define NOT_INLINED __attribute__((noinline))
#else
#define NOT_INLINED
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
#define RECIPROCAL_BITS 0x7fde623822fc16e6LL
#define CACHE_LINE 64
#define BLOCK 256
#define KERNELS 5

/* A kernel's loops over arrays without gaps. */
typedef struct {
    const char *name, *doc;
    void (*of_float)(const float *in, float *value, npy_intp n);
    void (*of_double)(const double *in, double *value, npy_intp n);
} kernel_loops;

static inline float
float_of(int32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline int32_t
float_bits_of(float value)
{
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double
double_of(int64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline int64_t
bits_of(double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The magnitudes of floats are ordered as their bit patterns are, with infinity and NaN on top. So this
 * is one integer minimum, and NaN becomes a bound (converting NaN to an integer would be undefined).
 * Of two float comparisons before such a conversion gcc makes branches, and then no vectors. */
static inline float
clamp_to_ten(float x)
{
    int32_t bits = float_bits_of(x);
    int32_t magnitude = bits & MAGNITUDE_MASK;
    magnitude = magnitude < BITS_OF_TEN ? magnitude : BITS_OF_TEN;
    return float_of(magnitude | (bits & SIGN_MASK));
}

/* NaN is put back with a mask: around `x == x ? t : x` gcc makes a branch, and then no vectors. */
static inline float
tanh_from_exp(float x, float exp_of_minus_2x)
{
    float t = -1.0f + 2.0f / (1.0f + exp_of_minus_2x);
    int32_t if_nan = -(int32_t)((float_bits_of(x) & MAGNITUDE_MASK) > BITS_OF_INFINITY);
    return float_of((float_bits_of(t) & ~if_nan) | (float_bits_of(x) & if_nan));
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define FUSED(a, b, c) ((a) * (b) + (c))
#define LEVEL(name) name##_v1
#include "_tanh_formulas.h"
#undef LEVEL
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v2")
#define LEVEL(name) name##_v2
#include "_tanh_formulas.h"
#undef LEVEL
#pragma GCC pop_options
#undef FUSED
#define FUSED(a, b, c) __builtin_fma(a, b, c)
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define LEVEL(name) name##_v3
#include "_tanh_formulas.h"
#undef LEVEL
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#define LEVEL(name) name##_v4
#include "_tanh_formulas.h"
#pragma GCC pop_options
#define LEVELS 4

/* Set the levels that this processor knows, the best one last, and return their number. */
static int
find_levels(const char **names, kernel_loops **kernels)
{
    int count = 0;
    __builtin_cpu_init();
    names[count] = "x86-64", kernels[count++] = kernels_v1;
    if (__builtin_cpu_supports("x86-64-v2")) {
        names[count] = "x86-64-v2", kernels[count++] = kernels_v2;
    }
    if (__builtin_cpu_supports("x86-64-v3")) {
        names[count] = "x86-64-v3", kernels[count++] = kernels_v3;
    }
    if (__builtin_cpu_supports("x86-64-v4")) {
        names[count] = "x86-64-v4", kernels[count++] = kernels_v4;
    }
    return count;
}
#else
#if defined(FP_FAST_FMA)
#define FUSED(a, b, c) fma(a, b, c)
#else
#define FUSED(a, b, c) ((a) * (b) + (c))
#endif
#define LEVEL(name) name##_plain
#include "_tanh_formulas.h"
#define LEVELS 1

static int
find_levels(const char **names, kernel_loops **kernels)
{
    names[0] = "plain";
    kernels[0] = kernels_plain;
    return 1;
}
#endif

#include "_tanh_ufunc_loops.h"

static PyUFuncGenericFunction ufunc_loops[] = {ufunc_loop_float, ufunc_loop_double};
static const char types[] = {NPY_FLOAT, NPY_FLOAT, NPY_DOUBLE, NPY_DOUBLE};
static void *loop_data[LEVELS][KERNELS][2]; /* a ufunc keeps the pointer */

/* Put the ufunc of one kernel into a dictionary. */
static int
add_kernel(PyObject *into, kernel_loops *kernel, void **data)
{
    data[0] = data[1] = kernel;
    PyObject *ufunc = PyUFunc_FromFuncAndData(ufunc_loops, data, types, 2, 1, 1, PyUFunc_None, kernel->name,
                                              kernel->doc, 0);
    int failed = ufunc == NULL || PyDict_SetItemString(into, kernel->name, ufunc) < 0;
    Py_XDECREF(ufunc);
    return failed ? -1 : 0;
}

/* Make the ufuncs of every level, `levels`, and those of the best one the module's own. */
static int
add_levels(PyObject *module, PyObject *levels)
{
    const char *names[LEVELS];
    kernel_loops *kernels[LEVELS];
    const int count = find_levels(names, kernels);
    for (int level = 0; level < count; level++) {
        PyObject *ufuncs = PyDict_New();
        if (ufuncs == NULL) {
            return -1;
        }
        int failed = PyDict_SetItemString(levels, names[level], ufuncs);
        for (int i = 0; i < KERNELS && !failed; i++) {
            failed = add_kernel(ufuncs, &kernels[level][i], loop_data[level][i]);
        }
        if (!failed && level == count - 1) {
            failed = PyDict_Update(PyModule_GetDict(module), ufuncs);
        }
        Py_DECREF(ufuncs);
        if (failed) {
            return -1;
        }
    }
    return 0;
}

static int
kernels_exec(PyObject *module)
{
    if (PyArray_ImportNumPyAPI() < 0 || PyUFunc_ImportUFuncAPI() < 0) {
        return -1;
    }
    PyObject *levels = PyDict_New();
    int failed = levels == NULL || add_levels(module, levels) < 0 ||
                 PyModule_AddObjectRef(module, "levels", levels) < 0;
    Py_XDECREF(levels);
    return failed ? -1 : 0;
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
