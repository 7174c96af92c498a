/* Counts the instructions of one part of a program, where valgrind's callgrind runs it.

   A request to valgrind is a sequence of instructions that does nothing on a processor and that valgrind knows: those of
   valgrind.h, "ARCHITECTURE SPECIFICS", written out here so that nothing of valgrind is needed to build. */

#include "recorder.h"

#define RUNNING_ON_VALGRIND 0x1001
#define CALLGRIND ((uint64_t)'C' << 24 | (uint64_t)'T' << 16) /* callgrind.h: the first of its requests */
#define TOGGLE_COLLECT (CALLGRIND + 2)
#define START_INSTRUMENTATION (CALLGRIND + 4)
#define STOP_INSTRUMENTATION (CALLGRIND + 5)

static uint64_t request(uint64_t code) {
    volatile uint64_t words[6] = {code};
    uint64_t answer = 0;
#if defined(__linux__) && defined(__x86_64__)
    __asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi; rolq $61, %%rdi; rolq $51, %%rdi; xchgq %%rbx, %%rbx"
                     : "=d"(answer)
                     : "a"(&words[0]), "0"(answer)
                     : "cc", "memory");
#elif defined(__linux__) && defined(__aarch64__)
    __asm__ volatile("mov x3, %1; mov x4, %2; ror x12, x12, #3; ror x12, x12, #13; ror x12, x12, #51; "
                     "ror x12, x12, #61; orr x10, x10, x10; mov %0, x3"
                     : "=r"(answer)
                     : "r"(answer), "r"(&words[0])
                     : "cc", "memory", "x3", "x4");
#else
    (void)words;
#endif
    return answer;
}

PyObject *on_valgrind(PyObject *module, PyObject *none) {
    (void)module, (void)none;
    return PyBool_FromLong(request(RUNNING_ON_VALGRIND) != 0);
}

/* From C, so that callgrind sees the interpreter's functions being entered. */
PyObject *counted(PyObject *module, PyObject *args) {
    PyObject *run, *result = Py_NewRef(Py_None);
    Py_ssize_t loops;
    (void)module;
    if (!PyArg_ParseTuple(args, "On", &run, &loops)) return NULL;
    request(START_INSTRUMENTATION);
    for (Py_ssize_t i = 0; i < loops && result != NULL; i++) {
        Py_DECREF(result);
        result = PyObject_CallNoArgs(run);
    }
    request(STOP_INSTRUMENTATION);
    return result;
}

/* Unlike stopping and starting, this keeps the code that valgrind has translated. */
PyObject *toggle_counting(PyObject *module, PyObject *none) {
    (void)module, (void)none;
    request(TOGGLE_COLLECT);
    Py_RETURN_NONE;
}
