/* Passes through a network that are too small for NumPy's calls: r″ along a direction, Jᵀ·values, and J itself.
 *
 * Each takes the values of all layers, which a forward pass has left, and works without Python's lock. The formulas are
 * in `jacobians/backprop.py` and `steps/geodesic.py`, whose NumPy versions give the same but for rounding; the loops
 * are in `_passes_of_blocks.h`, which is included once for each instruction set: on x86-64 with gcc for three levels,
 * elsewhere once. When the module is loaded the best that the processor knows is taken; `use_level` takes another.
 */
#define PY_SSIZE_T_CLEAN
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#include <Python.h>

#include <string.h>

#include <numpy/arrayobject.h>
#include <numpy/ndarraytypes.h>

#if !defined(__GNUC__)
#error "needs the vectors of gcc and clang; the NumPy versions serve elsewhere"
#endif

#define ALWAYS_INLINE __attribute__((always_inline))
#define MAX_LAYERS 64
#define VECTOR 8
#define TILE 4
#define BLOCK 64
#define WIDE_BLOCK 256 /* of J: longer runs of its memory; a multiple of two vectors */
#define ROOM (4 * WIDE_BLOCK) /* elements of scratch for each unit of the widest layer: four wide blocks, or six others */

typedef double vector __attribute__((vector_size(VECTOR * sizeof(double)), aligned(sizeof(double)), may_alias));

enum { LINEAR, TANH, SIGMOID, RELU, ACTIVATIONS };

typedef struct {
    int layers;
    npy_intp rows, widest, parameters;
    npy_intp units[MAX_LAYERS + 1]; /* the inputs first */
    npy_intp starts[MAX_LAYERS];    /* of each layer's part of the parameters */
    const char *activations;
} network;

/* An array whose rows have no gaps; `row` is their distance in elements. */
typedef struct {
    double *first;
    npy_intp row;
} rows_of;

typedef struct {
    const double *first;
    npy_intp row, column;
} matrix;

typedef struct {
    void (*second_derivative)(const network *, const double *, const double *, const rows_of *, rows_of, double *);
    void (*gradient)(const network *, const double *, const rows_of *, rows_of, double *, double *);
    void (*jacobian)(const network *, const double *, const rows_of *, rows_of, double *);
} passes;

static inline npy_intp
least(npy_intp a, npy_intp b)
{
    return a < b ? a : b;
}

/* Copy `count` columns from `start` of `units` rows to a block, and zeros behind them. */
static void
load(rows_of values, npy_intp units, npy_intp start, npy_intp count, npy_intp width, double *block)
{
    for (npy_intp j = 0; j < units; j++, block += width) {
        memcpy(block, values.first + j * values.row + start, count * sizeof(double));
        memset(block + count, 0, (width - count) * sizeof(double));
    }
}

/* The same where each column of `values` stands for so many, one after the other. */
static void
load_repeated(rows_of values, npy_intp units, npy_intp start, npy_intp count, npy_intp width, npy_intp times,
              double *block)
{
    if (times == 1) {
        load(values, units, start, count, width, block);
        return;
    }
    for (npy_intp j = 0; j < units; j++, block += width) {
        const double *from = values.first + j * values.row + start / times;
        npy_intp turn = start % times;
        for (npy_intp q = 0; q < count; q++) {
            block[q] = *from;
            if (++turn == times) {
                turn = 0;
                from++;
            }
        }
        memset(block + count, 0, (width - count) * sizeof(double));
    }
}

#if defined(__x86_64__) && !defined(__clang__) && __GNUC__ >= 12
#define LEVEL(name) name##_v1
#include "_passes_of_blocks.h"
#undef LEVEL
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define LEVEL(name) name##_v3
#include "_passes_of_blocks.h"
#undef LEVEL
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#define LEVEL(name) name##_v4
#include "_passes_of_blocks.h"
#undef LEVEL
#pragma GCC pop_options
#define LEVELS 3

static int
find_levels(const char **names, const passes **found)
{
    int count = 0;
    __builtin_cpu_init();
    names[count] = "x86-64", found[count++] = &passes_v1;
    if (__builtin_cpu_supports("x86-64-v3")) {
        names[count] = "x86-64-v3", found[count++] = &passes_v3;
    }
    if (__builtin_cpu_supports("x86-64-v4")) {
        names[count] = "x86-64-v4", found[count++] = &passes_v4;
    }
    return count;
}
#else
#define LEVEL(name) name##_plain
#include "_passes_of_blocks.h"
#define LEVELS 1

static int
find_levels(const char **names, const passes **found)
{
    names[0] = "plain", found[0] = &passes_plain;
    return 1;
}
#endif

static const char *level_names[LEVELS];
static const passes *levels[LEVELS], *best;
static int level_count;

/* Take a float64 array of a shape, whose rows have no gaps; -1 and an exception where it is another. */
static int
take_rows(PyObject *given, const char *name, npy_intp height, npy_intp width, int written, rows_of *taken)
{
    PyArrayObject *array = (PyArrayObject *)given;
    if (!PyArray_Check(given) || PyArray_TYPE(array) != NPY_DOUBLE || !PyArray_ISBEHAVED_RO(array) ||
        PyArray_NDIM(array) != 2 || PyArray_DIM(array, 0) != height || PyArray_DIM(array, 1) != width) {
        PyErr_Format(PyExc_ValueError, "%s must be a float64 array of shape (%zd, %zd)", name, height, width);
        return -1;
    }
    if ((PyArray_STRIDE(array, 1) != sizeof(double) && width > 1) || PyArray_STRIDE(array, 0) % sizeof(double) != 0 ||
        (written && !PyArray_ISWRITEABLE(array))) {
        PyErr_Format(PyExc_ValueError, "%s must have rows without gaps, and be writeable if written to", name);
        return -1;
    }
    taken->first = PyArray_DATA(array);
    taken->row = PyArray_STRIDE(array, 0) / (npy_intp)sizeof(double);
    return 0;
}

static int
take_vector(PyObject *given, const char *name, npy_intp length, int written, double **taken)
{
    PyArrayObject *array = (PyArrayObject *)given;
    if (!PyArray_Check(given) || PyArray_TYPE(array) != NPY_DOUBLE || !PyArray_ISCARRAY_RO(array) ||
        PyArray_NDIM(array) != 1 || PyArray_DIM(array, 0) != length || (written && !PyArray_ISWRITEABLE(array))) {
        PyErr_Format(PyExc_ValueError, "%s must be a float64 array of shape (%zd,) without gaps", name, length);
        return -1;
    }
    *taken = PyArray_DATA(array);
    return 0;
}

/* Take a buffer that no other thread uses meanwhile. */
static int
take_room(PyObject *given, const network *net, double **taken)
{
    PyArrayObject *array = (PyArrayObject *)given;
    if (!PyArray_Check(given) || PyArray_TYPE(array) != NPY_DOUBLE || !PyArray_ISCARRAY(array) ||
        PyArray_SIZE(array) < ROOM * net->widest) {
        PyErr_Format(PyExc_ValueError, "room must be a float64 array of %zd or more", ROOM * net->widest);
        return -1;
    }
    *taken = PyArray_DATA(array);
    return 0;
}

/* Take the layers' values, the inputs first, and with them the network's sizes. */
static int
take_network(PyObject *values, PyObject *activations, network *net, rows_of *taken)
{
    char *names;
    Py_ssize_t layers;
    if (PyBytes_AsStringAndSize(activations, &names, &layers) < 0) {
        return -1;
    }
    if (!PyTuple_Check(values) || layers < 1 || layers > MAX_LAYERS || PyTuple_GET_SIZE(values) != layers + 1) {
        PyErr_Format(PyExc_ValueError, "values must be a tuple of one array more than layers, 1 to %d", MAX_LAYERS);
        return -1;
    }
    net->layers = (int)layers, net->activations = names, net->widest = 0, net->parameters = 0, net->rows = -1;
    for (int layer = 0; layer <= net->layers; layer++) {
        PyArrayObject *array = (PyArrayObject *)PyTuple_GET_ITEM(values, layer);
        if (!PyArray_Check(array) || PyArray_NDIM(array) != 2 || PyArray_DIM(array, 0) < 1) {
            PyErr_SetString(PyExc_ValueError, "values must be arrays of shape (units, rows)");
            return -1;
        }
        net->rows = net->rows < 0 ? PyArray_DIM(array, 1) : net->rows;
        net->units[layer] = PyArray_DIM(array, 0);
        if (take_rows((PyObject *)array, "values", net->units[layer], net->rows, 0, &taken[layer]) < 0) {
            return -1;
        }
        net->widest = net->units[layer] > net->widest ? net->units[layer] : net->widest;
        if (layer > 0) {
            if (names[layer - 1] < 0 || names[layer - 1] >= ACTIVATIONS) {
                PyErr_Format(PyExc_ValueError, "activation %d: there are %d", names[layer - 1], ACTIVATIONS);
                return -1;
            }
            net->starts[layer - 1] = net->parameters;
            net->parameters += (net->units[layer - 1] + 1) * net->units[layer];
        }
    }
    return 0;
}

static PyObject *
second_derivative(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *activations, *values, *parameters, *velocity, *out, *room;
    network net;
    rows_of layers[MAX_LAYERS + 1], result;
    double *w, *v, *scratch;
    if (!PyArg_ParseTuple(args, "OOOOOO", &activations, &values, &parameters, &velocity, &out, &room) ||
        take_network(values, activations, &net, layers) < 0 ||
        take_vector(parameters, "parameters", net.parameters, 0, &w) < 0 ||
        take_vector(velocity, "velocity", net.parameters, 0, &v) < 0 ||
        take_rows(out, "out", net.units[net.layers], net.rows, 1, &result) < 0 ||
        take_room(room, &net, &scratch) < 0) {
        return NULL;
    }
    const passes *const taken = best;
    Py_BEGIN_ALLOW_THREADS
    taken->second_derivative(&net, w, v, layers, result, scratch);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *
gradient(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *activations, *values, *parameters, *seed, *out, *room;
    network net;
    rows_of layers[MAX_LAYERS + 1], seeds;
    double *w, *sum, *scratch;
    if (!PyArg_ParseTuple(args, "OOOOOO", &activations, &values, &parameters, &seed, &out, &room) ||
        take_network(values, activations, &net, layers) < 0 ||
        take_vector(parameters, "parameters", net.parameters, 0, &w) < 0 ||
        take_rows(seed, "seed", net.units[net.layers], net.rows, 0, &seeds) < 0 ||
        take_vector(out, "out", net.parameters, 1, &sum) < 0 || take_room(room, &net, &scratch) < 0) {
        return NULL;
    }
    const passes *const taken = best;
    Py_BEGIN_ALLOW_THREADS
    memset(sum, 0, net.parameters * sizeof(double));
    taken->gradient(&net, w, layers, seeds, sum, scratch);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *
jacobian(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *activations, *values, *parameters, *out, *room;
    network net;
    rows_of layers[MAX_LAYERS + 1], transposed;
    double *w, *scratch;
    if (!PyArg_ParseTuple(args, "OOOOO", &activations, &values, &parameters, &out, &room) ||
        take_network(values, activations, &net, layers) < 0 ||
        take_vector(parameters, "parameters", net.parameters, 0, &w) < 0 ||
        take_rows(out, "out", net.parameters, net.rows * net.units[net.layers], 1, &transposed) < 0 ||
        take_room(room, &net, &scratch) < 0) {
        return NULL;
    }
    const passes *const taken = best;
    Py_BEGIN_ALLOW_THREADS
    taken->jacobian(&net, w, layers, transposed, scratch);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *
use_level(PyObject *Py_UNUSED(module), PyObject *name)
{
    for (int i = 0; i < level_count; i++) {
        if (PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, level_names[i]) == 0) {
            best = levels[i];
            Py_RETURN_NONE;
        }
    }
    PyErr_Format(PyExc_ValueError, "no level %R here", name);
    return NULL;
}

static PyMethodDef functions[] = {
    {"second_derivative", second_derivative, METH_VARARGS,
     "second_derivative(activations, values, parameters, velocity, out, room)\n--\n\n"
     "Write the second derivative of the outputs along the velocity, shape (outputs, rows)."},
    {"gradient", gradient, METH_VARARGS,
     "gradient(activations, values, parameters, seed, out, room)\n--\n\n"
     "Write Jᵀ·seed, shape (parameters,), for a seed of shape (outputs, rows)."},
    {"jacobian", jacobian, METH_VARARGS,
     "jacobian(activations, values, parameters, out, room)\n--\n\n"
     "Write Jᵀ, shape (parameters, rows·outputs)."},
    {"use_level", use_level, METH_O, "use_level(name)\n--\n\nTake the loops of one of `levels` from now on: for tests."},
    {NULL, NULL, 0, NULL},
};

static int
passes_exec(PyObject *module)
{
    if (PyArray_ImportNumPyAPI() < 0) {
        return -1;
    }
    level_count = find_levels(level_names, levels);
    best = levels[level_count - 1];
    PyObject *names = PyTuple_New(level_count);
    if (names == NULL) {
        return -1;
    }
    for (int i = 0; i < level_count; i++) {
        PyObject *name = PyUnicode_FromString(level_names[i]);
        if (name == NULL) {
            Py_DECREF(names);
            return -1;
        }
        PyTuple_SET_ITEM(names, i, name);
    }
    int failed = PyModule_AddObjectRef(module, "levels", names) < 0 ||
                 PyModule_AddIntConstant(module, "MAX_LAYERS", MAX_LAYERS) < 0 ||
                 PyModule_AddIntConstant(module, "ROOM", ROOM) < 0;
    Py_DECREF(names);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, passes_exec},
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
    .m_name = "_passes",
    .m_doc = "Passes through a network: r″ along a direction, Jᵀ·values, and J.",
    .m_size = 0,
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__passes(void)
{
    return PyModuleDef_Init(&definition);
}
