/* A mapped file as a Python buffer. Up to 3.12 Python's own mmap keeps a descriptor, which the program would see. */

#include "recorder.h"

#include <errno.h>
#include <sys/mman.h>

typedef struct {
    PyObject_HEAD
    char *bytes;
    Py_ssize_t size;
} Mapping;

static int mapping_buffer(Mapping *self, Py_buffer *view, int flags) {
    return PyBuffer_FillInfo(view, (PyObject *)self, self->bytes, self->size, 0, flags);
}

static void mapping_dealloc(Mapping *self) {
    PyTypeObject *type = Py_TYPE(self);
    munmap(self->bytes, (size_t)self->size);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *mapping_madvise(Mapping *self, PyObject *args) {
    int option, result;
    Py_ssize_t start, length;
    if (!PyArg_ParseTuple(args, "inn", &option, &start, &length)) return NULL;
    if (start < 0 || length < 0 || start > self->size || length > self->size - start) {
        PyErr_SetString(PyExc_ValueError, "a range outside of the mapping");
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    result = madvise(self->bytes + start, (size_t)length, option);
    Py_END_ALLOW_THREADS
    if (result < 0) return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyMethodDef mapping_methods[] = {
    {"madvise", (PyCFunction)mapping_madvise, METH_VARARGS, "As mmap.mmap.madvise."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot mapping_slots[] = {
    {Py_tp_dealloc, mapping_dealloc},
    {Py_tp_methods, mapping_methods},
    {Py_bf_getbuffer, mapping_buffer},
    {0, NULL},
};

static PyType_Spec mapping_spec = {
    "workbench.scopes._native.Mapping", sizeof(Mapping), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, mapping_slots,
};

PyObject *map_file(PyObject *module, PyObject *args) {
    static PyTypeObject *type = NULL;
    int file;
    Py_ssize_t size;
    (void)module;
    if (!PyArg_ParseTuple(args, "in", &file, &size)) return NULL;
    if (type == NULL && (type = (PyTypeObject *)PyType_FromSpec(&mapping_spec)) == NULL) return NULL;
    Mapping *self = (Mapping *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->size = size;
    self->bytes = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (self->bytes == MAP_FAILED) {
        int error = errno;
        type->tp_free((PyObject *)self);
        Py_DECREF(type);
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return (PyObject *)self;
}
