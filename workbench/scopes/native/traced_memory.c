/* What installed packages allocate while they are imported is not traced, nor what the recorder allocates.

   The stacks of imports are deep, and tracemalloc looks up the line of each of their frames: it takes microseconds for
   each of a million allocations. So our allocators stand before its own, and pass it by on a thread that says so. */

#include "recorder.h"

enum { DOMAINS = 3 };
static PyMemAllocatorEx untraced[DOMAINS], traced[DOMAINS];
static _Thread_local int is_untraced;
static PyObject *run_code, *places;

#define OF(allocators) (&(allocators)[(intptr_t)domain])

static void *allocate(void *domain, size_t size) {
    PyMemAllocatorEx *to = is_untraced ? OF(untraced) : OF(traced);
    return to->malloc(to->ctx, size);
}

static void *allocate_zeros(void *domain, size_t count, size_t size) {
    PyMemAllocatorEx *to = is_untraced ? OF(untraced) : OF(traced);
    return to->calloc(to->ctx, count, size);
}

static void *resize(void *domain, void *block, size_t size) {
    PyMemAllocatorEx *to = OF(traced);
    if (is_untraced) {
        if (block != NULL) PyTraceMalloc_Untrack(0, (uintptr_t)block);
        to = OF(untraced);
    }
    return to->realloc(to->ctx, block, size);
}

/* A block that was not traced is none to tracemalloc either. */
static void release(void *domain, void *block) { OF(traced)->free(OF(traced)->ctx, block); }

/* `trace` starts tracemalloc; what it does to the allocators is seen by comparing. */
PyObject *trace_without_imports(PyObject *module, PyObject *args) {
    static const PyMemAllocatorDomain domains[DOMAINS] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
    PyObject *trace, *exec, *parts, *done;
    (void)module;
    if (!PyArg_ParseTuple(args, "OOO!", &trace, &exec, &PyTuple_Type, &parts)) return NULL;
    for (int i = 0; i < DOMAINS; i++) PyMem_GetAllocator(domains[i], &untraced[i]);
    if ((done = PyObject_CallNoArgs(trace)) == NULL) return NULL;
    Py_XSETREF(run_code, Py_NewRef(exec));
    Py_XSETREF(places, Py_NewRef(parts));
    for (int i = 0; i < DOMAINS; i++) {
        PyMemAllocatorEx ours = {(void *)(intptr_t)i, allocate, allocate_zeros, resize, release};
        PyMem_GetAllocator(domains[i], &traced[i]);
        PyMem_SetAllocator(domains[i], &ours);
    }
    return done;
}

PyObject *pass_tracing(PyObject *module, PyObject *on) {
    int before = is_untraced;
    (void)module;
    is_untraced = Py_IsTrue(on);
    return PyBool_FromLong(before);
}

/* Return whether a module's code is of an installed package; -1 with an exception. */
static int is_installed(PyObject *code) {
    PyObject *file = ((PyCodeObject *)code)->co_filename;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(places); i++) {
        int found = PyUnicode_Contains(file, PyTuple_GET_ITEM(places, i));
        if (found) return found;
    }
    return 0;
}

/* In place of `exec` in the import system. From C: tracebacks have no frame of it. */
PyObject *run_imported(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    int before = is_untraced, installed = 0;
    (void)module;
    if (run_code == NULL) return PyErr_Format(PyExc_RuntimeError, "memory is not traced");
    if (count > 0 && PyCode_Check(args[0]) && (installed = is_installed(args[0])) < 0) return NULL;
    is_untraced = installed;
    PyObject *result = PyObject_Vectorcall(run_code, args, (size_t)count, NULL);
    is_untraced = before;
    return result;
}
