/* What the recorder and the sampler share: the records in the log, and what a thread writes to. */

#ifndef WORKBENCH_RECORDER_H
#define WORKBENCH_RECORDER_H

#define PY_SSIZE_T_CLEAN
#include <patchlevel.h>
#if !defined(Py_BUILD_CORE_MODULE)
#define Py_BUILD_CORE_MODULE 1 /* 3.11: a frame's code without an allocation; where the interpreter's lock is */
#endif
#include <Python.h>
#if PY_VERSION_HEX < 0x030C0000
#include <internal/pycore_frame.h>
#endif
#include <structmember.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "layout.h"

#if PY_VERSION_HEX >= 0x030D0000
#define CURRENT_FRAME(tstate) ((tstate)->current_frame)
#define UNCHECKED_STATE PyThreadState_GetUnchecked
#else
#define UNCHECKED_STATE _PyThreadState_UncheckedGet
#define CURRENT_FRAME(tstate) ((tstate)->cframe->current_frame)
#endif

#define EVENT_SIZE 24
#define OPEN_SIZE 16
#define MAX_DEPTH 0xFFFF
#define MAX_WORK 32      /* numbers of one scope */
#define WORK_SITE (-2)    /* pseudo call site under which their names are interned */
#define HEADROOM 64
#define MAX_SITES 100000 /* kept with their code; code that is made again and again must not fill the memory */
enum { FLAG_OUT_OF_ORDER = 1, FLAG_VALUE = 2, FLAG_COUNTER = 4, FLAG_MARK = 8 };

typedef struct {
    uint64_t start; /* nanoseconds; with FLAG_VALUE or FLAG_COUNTER the bits of a double */
    uint32_t name;
    uint16_t depth, flags;
    uint64_t end; /* stored last: it completes the record */
} Event;

typedef struct {
    uint32_t name, zero;
    uint64_t start; /* stored last: it opens the level */
} Level;

/* ---- the clock ----------------------------------------------------------------------------------------- */

/* The clock of time.perf_counter_ns(). */
static inline uint64_t system_ns(void) {
#if defined(__APPLE__)
    return clock_gettime_nsec_np(CLOCK_UPTIME_RAW);
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
#endif
}

#include "clock.h"

/* ---- what a thread or task writes to ------------------------------------------------------------------- */

typedef struct {
    PyObject *scope; /* strong: the scope whose interval is open */
    uint64_t start;
    uint32_t name;
    uint32_t is_generator;    /* whether that frame may be suspended */
    uintptr_t frame, caller;  /* the Python frame that opened it and the one that called that: addresses alone */
    uintptr_t instruction;    /* of that frame */
} Opened;

typedef struct {
    PyObject_HEAD
    uint32_t number, chunks;
    Event *next, *end;   /* the free part of the newest chunk of events */
    Py_buffer events;    /* keeps its segment mapped */
    Opened *opened;      /* the open scopes, outermost first */
    Level **levels;      /* where each level is in the map of open scopes */
    uint32_t depth, capacity, mapped;
    Py_buffer *buffers;  /* keep the segments of the levels mapped */
    uint32_t buffer_count;
    PyObject *context;   /* strong: the task's context, by which the sampler finds its track; or NULL */
    char own_stack;      /* a greenlet's: the thread's open scopes are not around it */
} Track;

typedef struct {
    uintptr_t context; /* 0: free; stored last */
    Track *track;
} ContextTrack;

typedef struct ContextTable {
    struct ContextTable *older;
    uint32_t mask;
    ContextTrack entries[];
} ContextTable;

extern ContextTable *contexts;
Track *track_of_context(uintptr_t context); /* of the task that runs in it; NULL: not known */

typedef struct {
    PyObject *code; /* strong; NULL: free */
    PyObject *name; /* strong, interned */
    int lasti;
    uint32_t id; /* stored last */
} Site;

typedef struct SiteTable {
    struct SiteTable *older; /* kept: a reader may still hold it */
    uint32_t mask, used;
    Site sites[];
} SiteTable;

/* ---- the recorder -------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    PyObject *owner; /* does the rare steps: thread_track, task_track, events, levels, intern, failed */
    PyObject *names; /* dict: id of each name that is computed at run time */
    uint64_t generation;
    SiteTable *table;
    PyThread_type_lock lock;
    int stays;
} Recorder;

extern Recorder *active;

/* A thread's tracks. The dictionary of the thread's state owns this, so they are released when the thread ends. */
typedef struct ThreadTracks {
    PyObject_HEAD
    PyObject *own;  /* strong: the thread's track */
    PyObject *kept; /* strong: the track of the task that ran last, or NULL */
    struct Local *place;
} ThreadTracks;

typedef struct Local {
    uint64_t generation, context;
    PyObject *context_object; /* the context that `track` is of; compared alone */
    Track *track; /* of the running task, or of the thread; borrowed from the tracks */
    ThreadTracks *tracks; /* borrowed */
    Anchor clock;
} Local;

#if defined(__GLIBC__) && defined(__GNUC__)
#define FAST_TLS __attribute__((tls_model("initial-exec"))) /* one load instead of a call; 80 bytes */
#else
#define FAST_TLS
#endif

extern _Thread_local Local local FAST_TLS;

uintptr_t find_local(int tid); /* where a thread's local data are; 0: it has opened no scope */

PyObject *map_file(PyObject *module, PyObject *args);

PyObject *on_valgrind(PyObject *module, PyObject *none);
PyObject *counted(PyObject *module, PyObject *args);
PyObject *toggle_counting(PyObject *module, PyObject *none);
PyObject *trace_without_imports(PyObject *module, PyObject *args);
PyObject *pass_tracing(PyObject *module, PyObject *on);
PyObject *run_imported(PyObject *module, PyObject *const *args, Py_ssize_t count);

#endif
