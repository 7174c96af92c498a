/* The native recorder: what a scope does when it opens and closes, in C.

   It writes the same log as the recorder in _python.py, by the same rules (docs/event-log.md): a record is
   complete when its end is stored, a level is open when its start is stored, and both are stored last. The
   Python object that owns the recorder does the rare steps (a new thread, name or chunk, an error). The common
   path reads the clock and makes a few stores into the thread's own chunk: no lock, allocation or system call.

   Any call into Python may run a signal handler or a finalizer that opens scopes of its own, on the same track,
   or that ends the recording. So a scope first gets space for what it will write, as often as necessary. Then it
   reads the clock, and calls nothing until the record is complete.

   A thread writes only what its own thread-local state points to, and only that thread releases it. Tables are changed with
   the GIL held, and read by the sampler at any moment; none is freed while a reader may hold it. Builds without the GIL,
   whose frames are laid out in another way, get the recorder in Python. */

#include "recorder.h"
#include "sampler.h"

#include <opcode.h>
#include <unistd.h>

/* place: (buffer, offset) as the log writer hands chunks out */
static char *map_place(PyObject *place, Py_ssize_t size, Py_buffer *view) {
    PyObject *buffer;
    Py_ssize_t offset;
    if (!PyArg_ParseTuple(place, "On", &buffer, &offset)) return NULL;
    if (PyObject_GetBuffer(buffer, view, PyBUF_WRITABLE) < 0) return NULL;
    if (offset < 0 || size < 0 || offset > view->len - size || ((uintptr_t)view->buf + (uintptr_t)offset) % 8) {
        PyBuffer_Release(view);
        PyErr_SetString(PyExc_ValueError, "a chunk outside of its segment");
        return NULL;
    }
    return (char *)view->buf + offset;
}

static PyObject *track_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    unsigned int number;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "I", &number)) return NULL;
    Track *self = (Track *)type->tp_alloc(type, 0); /* zeroed */
    if (self != NULL) self->number = number;
    return (PyObject *)self;
}

/* ---- tracks by the context of their task ---------------------------------------------------------------- */

#define PROBES 16

/* An entry is within so many places of its own. The table is changed with the GIL held; the sampler reads it
   at any moment, so a larger one takes its place and the old one stays: together they are no larger than the new. */
ContextTable *contexts = NULL;

static inline uint32_t context_hash(uintptr_t context) {
    return (uint32_t)(((uint64_t)context >> 4) * 0x9E3779B97F4A7C15u >> 32);
}

Track *track_of_context(uintptr_t context) {
    const ContextTable *table = __atomic_load_n(&contexts, __ATOMIC_ACQUIRE);
    if (table == NULL || context == 0) return NULL;
    uint32_t first = context_hash(context);
    for (uint32_t i = 0; i < PROBES; i++) {
        const ContextTrack *entry = &table->entries[(first + i) & table->mask];
        if (__atomic_load_n(&entry->context, __ATOMIC_ACQUIRE) == context) return entry->track;
    }
    return NULL;
}

static int put_context(ContextTable *table, uintptr_t context, Track *track) {
    uint32_t first = context_hash(context);
    for (uint32_t i = 0; i < PROBES; i++) {
        ContextTrack *entry = &table->entries[(first + i) & table->mask];
        if (entry->context != 0) continue;
        entry->track = track;
        __atomic_store_n(&entry->context, context, __ATOMIC_RELEASE);
        return 1;
    }
    return 0;
}

static ContextTable *larger_contexts(uint32_t size) {
    ContextTable *table = PyMem_Calloc(1, sizeof(ContextTable) + size * sizeof(ContextTrack));
    if (table == NULL) return NULL;
    table->mask = size - 1;
    for (uint32_t i = 0; contexts != NULL && i <= contexts->mask; i++) {
        const ContextTrack *entry = &contexts->entries[i];
        if (entry->context == 0 || put_context(table, entry->context, entry->track)) continue;
        PyMem_Free(table);
        return larger_contexts(2 * size);
    }
    return table;
}

/* Register a task's track for the sampler. Without memory its samples are on the thread's track. */
static void remember_context(Track *track, PyObject *context) {
    if (context == NULL || track->context != NULL || track_of_context((uintptr_t)context) != NULL) return;
    if (contexts == NULL || !put_context(contexts, (uintptr_t)context, track)) {
        ContextTable *table = larger_contexts(contexts == NULL ? 64 : 2 * (contexts->mask + 1));
        if (table == NULL) return;
        table->older = contexts;
        __atomic_store_n(&contexts, table, __ATOMIC_RELEASE);
        if (!put_context(table, (uintptr_t)context, track)) return;
    }
    track->context = Py_NewRef(context); /* so that its address is not reused while the track exists */
}

static void forget_context(Track *track) {
    uint32_t first = context_hash((uintptr_t)track->context);
    for (uint32_t i = 0; track->context != NULL && i < PROBES; i++) {
        ContextTrack *entry = &contexts->entries[(first + i) & contexts->mask];
        if (entry->track == track && entry->context == (uintptr_t)track->context)
            __atomic_store_n(&entry->context, 0, __ATOMIC_RELEASE);
    }
    Py_CLEAR(track->context);
}

static void track_dealloc(Track *self) {
    PyTypeObject *type = Py_TYPE(self);
    for (uint32_t i = 0; i < self->depth; i++) Py_XDECREF(self->opened[i].scope);
    for (uint32_t i = 0; i < self->buffer_count; i++) PyBuffer_Release(&self->buffers[i]);
    PyBuffer_Release(&self->events);
    PyMem_Free(self->opened);
    PyMem_Free(self->levels);
    PyMem_Free(self->buffers);
    forget_context(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef track_members[] = {
    {"number", T_UINT, offsetof(Track, number), READONLY, "the track's number in the log"},
    {"depth", T_UINT, offsetof(Track, depth), READONLY, "how many scopes are open"},
    {"chunks", T_UINT, offsetof(Track, chunks), READONLY, "how many chunks of events it has had"},
    {"own_stack", T_BOOL, offsetof(Track, own_stack), 0, "whether it is a greenlet's, which has a stack of its own"},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot track_slots[] = {
    {Py_tp_new, track_new},
    {Py_tp_dealloc, track_dealloc},
    {Py_tp_members, track_members},
    {Py_tp_doc, "The state of one thread or task: its open scopes, and its chunks in the log."},
    {0, NULL},
};

static PyType_Spec track_spec = {"workbench.scopes._native.Track", sizeof(Track), 0, Py_TPFLAGS_DEFAULT, track_slots};

/* ---- names and their call sites ------------------------------------------------------------------------ */

static inline uint32_t site_hash(PyObject *code, PyObject *name, int lasti) {
    uint64_t h = ((uintptr_t)code >> 4) * 0x9E3779B97F4A7C15u;
    h ^= ((uintptr_t)name >> 4) * 0xC2B2AE3D27D4EB4Fu;
    h += (uint64_t)(uint32_t)lasti * 0x165667B19E3779F9u;
    return (uint32_t)(h >> 29);
}

static SiteTable *site_table_new(uint32_t size, SiteTable *older) {
    SiteTable *table = PyMem_Calloc(1, sizeof(SiteTable) + size * sizeof(Site));
    if (table != NULL) {
        table->mask = size - 1;
        table->older = older;
    }
    return table;
}

static inline uint32_t site_find(const SiteTable *table, PyObject *code, PyObject *name, int lasti) {
    for (uint32_t i = site_hash(code, name, lasti);; i++) {
        const Site *site = &table->sites[i & table->mask];
        uint32_t id = __atomic_load_n(&site->id, __ATOMIC_ACQUIRE);
        if (id == 0) return 0;
        if (site->code == code && site->name == name && site->lasti == lasti) return id;
    }
}

static void site_put(SiteTable *table, PyObject *code, PyObject *name, int lasti, uint32_t id) {
    uint32_t i = site_hash(code, name, lasti);
    while (table->sites[i & table->mask].id != 0) i++;
    Site *site = &table->sites[i & table->mask];
    site->code = code;
    site->name = name;
    site->lasti = lasti;
    __atomic_store_n(&site->id, id, __ATOMIC_RELEASE);
    table->used++;
}

/* ---- the recorder -------------------------------------------------------------------------------------- */

Recorder *active = NULL; /* a recorder is never freed while it may be active: see `activate` */
static uint64_t generations = 0;

_Thread_local Local local FAST_TLS;

static inline uint64_t now_ns(void) { return anchor_now_ns(&local.clock); }

static void forget_local(uintptr_t at);

static void tracks_dealloc(ThreadTracks *self) {
    PyTypeObject *type = Py_TYPE(self);
    forget_local((uintptr_t)self->place);
    if (self->place == &local) local = (Local){.clock = local.clock}; /* else its thread is gone */
    Py_XDECREF(self->own);
    Py_XDECREF(self->kept);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot tracks_slots[] = {{Py_tp_dealloc, tracks_dealloc}, {0, NULL}};

static PyType_Spec tracks_spec = {"workbench.scopes._native.ThreadTracks", sizeof(ThreadTracks), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, tracks_slots};

static PyTypeObject *track_type, *tracks_type;

#if defined(__linux__)
#include <sys/syscall.h>
#define MAX_LOCALS 4096

/* By native id of a thread; changed with the GIL held, read by the sampler at any moment. */
static struct {
    int tid; /* 0: free; stored last */
    uintptr_t at;
} locals[MAX_LOCALS];

static void remember_local(void) {
    for (int i = 0; i < MAX_LOCALS; i++) {
        if (locals[i].tid != 0) continue;
        locals[i].at = (uintptr_t)&local;
        __atomic_store_n(&locals[i].tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
        return;
    }
}

static void forget_local(uintptr_t at) {
    for (int i = 0; i < MAX_LOCALS; i++)
        if (locals[i].tid != 0 && locals[i].at == at) __atomic_store_n(&locals[i].tid, 0, __ATOMIC_RELEASE);
}

uintptr_t find_local(int tid) {
    for (int i = 0; i < MAX_LOCALS; i++)
        if (__atomic_load_n(&locals[i].tid, __ATOMIC_ACQUIRE) == tid) return locals[i].at;
    return 0;
}

/* Let go of the tracks of all threads, and so of the log's mapped files. For when nothing records and no thread samples;
   a thread that is in the middle of a rare step holds its own track, and finds no recorder afterwards. */
static PyObject *release_tracks(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    for (int i = 0; i < MAX_LOCALS; i++) {
        if (locals[i].tid == 0) continue;
        Local *of_thread = (Local *)locals[i].at;
        PyObject *own = of_thread->tracks->own, *kept = of_thread->tracks->kept;
        of_thread->generation = 0;
        of_thread->track = NULL;
        of_thread->tracks->own = of_thread->tracks->kept = NULL;
        Py_XDECREF(own);
        Py_XDECREF(kept);
    }
    Py_RETURN_NONE;
}
#else
static PyObject *release_tracks(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    Py_RETURN_NONE;
}
static void remember_local(void) {}
static void forget_local(uintptr_t at) { (void)at; }
#endif

static ThreadTracks *this_tracks(void) {
    if (local.tracks != NULL) return local.tracks;
    PyObject *state = PyThreadState_GetDict();
    if (state == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "a thread without a state");
        return NULL;
    }
    ThreadTracks *tracks = (ThreadTracks *)tracks_type->tp_alloc(tracks_type, 0);
    if (tracks == NULL) return NULL;
    tracks->place = &local;
    int failed = PyDict_SetItem(state, (PyObject *)tracks_type, (PyObject *)tracks) < 0;
    Py_DECREF(tracks);
    if (!failed) remember_local();
    return failed ? NULL : (local.tracks = tracks);
}

/* The code object and instruction that run, borrowed; the frame that calls keeps the code alive. */
static inline PyObject *running_code(PyThreadState *tstate, int *lasti) {
    struct _PyInterpreterFrame *frame = CURRENT_FRAME(tstate);
    if (frame == NULL) return NULL;
#if PY_VERSION_HEX >= 0x030C0000
    PyObject *code = PyUnstable_InterpreterFrame_GetCode(frame);
    *lasti = PyUnstable_InterpreterFrame_GetLasti(frame);
    Py_XDECREF(code);
    return code;
#else
    *lasti = _PyInterpreterFrame_LASTI(frame) * (int)sizeof(_Py_CODEUNIT);
    return (PyObject *)frame->f_code;
#endif
}

/* An error of the log ends the recording, never the program: the owner prints one line. What a signal
   handler raised while we called Python is the program's. Returns 0, or -1 with that exception set. */
static int give_up(Recorder *recorder) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value != NULL && traceback != NULL) PyException_SetTraceback(value, traceback);
    PyObject *ours = PyObject_CallMethod(recorder->owner, "failed", "O", value ? value : Py_None);
    int answer = ours == NULL ? -1 : 0;
    if (ours == Py_False) {
        PyErr_Restore(type, value, traceback);
        answer = -1;
    } else {
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
    }
    Py_XDECREF(ours);
    return answer;
}

/* The context of the running task, borrowed. A greenlet has none before it uses a context variable: it gets the empty
   one that it would get then, by which the sampler finds its track. */
static PyObject *task_context(PyThreadState *tstate) {
    if (tstate->context != NULL) return tstate->context;
    PyObject *made = PyContext_New();
    if (made == NULL) PyErr_Clear();
    if (tstate->context != NULL) Py_XDECREF(made); /* making it ran code that did the same */
    else tstate->context = made;
    return tstate->context;
}

/* The current track, a new reference. */
static Track *find_track(Recorder *recorder, PyThreadState *tstate) {
    PyObject *own = local.generation == recorder->generation ? Py_NewRef(local.tracks->own)
                                                             : PyObject_CallMethod(recorder->owner, "thread_track", NULL);
    if (own == NULL) return NULL;
    uint64_t context = tstate->context_ver;
    PyObject *task = PyObject_CallMethod(recorder->owner, "task_track", NULL);
    ThreadTracks *tracks = task == NULL ? NULL : this_tracks();
    if (tracks == NULL || !Py_IS_TYPE(own, track_type)) {
        Py_DECREF(own);
        Py_XDECREF(task);
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "thread_track() returned no track");
        return NULL;
    }
    if (!Py_IS_TYPE(task, track_type)) Py_CLEAR(task); /* outside of tasks */
    else remember_context((Track *)task, task_context(tstate));
    Track *found = (Track *)Py_NewRef(task ? task : own);
    if (__atomic_load_n(&active, __ATOMIC_ACQUIRE) == recorder) { /* the calls may have run what ended it */
        PyObject *old = tracks->own, *old_task = tracks->kept;
        tracks->own = own;
        tracks->kept = task;
        local.track = found;
        local.generation = recorder->generation;
        local.context = context;
        local.context_object = tstate->context;
        own = old;
        task = old_task;
    }
    Py_XDECREF(own);
    Py_XDECREF(task);
    return found;
}

static inline int is_current(const Recorder *recorder, const PyThreadState *tstate) {
    return local.generation == recorder->generation && local.context == tstate->context_ver;
}

static Track *current_track(Recorder *recorder, PyThreadState *tstate) {
    if (is_current(recorder, tstate)) return (Track *)Py_NewRef((PyObject *)local.track);
    return find_track(recorder, tstate);
}

/* Get a chunk with space for so many events. */
static int need_events(Recorder *recorder, Track *track, Py_ssize_t wanted) {
    while (track->end - track->next < wanted) { /* a signal handler may use up the new chunk */
        PyObject *answer = PyObject_CallMethod(recorder->owner, "events", "O", track);
        PyObject *place;
        Py_ssize_t count;
        Py_buffer view;
        char *at = NULL;
        if (answer != NULL && PyArg_ParseTuple(answer, "On", &place, &count))
            at = map_place(place, count * EVENT_SIZE, &view);
        Py_XDECREF(answer);
        if (at == NULL) return -1;
        Py_buffer old = track->events;
        track->events = view;
        track->chunks++;
        track->next = (Event *)at;
        track->end = track->next + count;
        PyBuffer_Release(&old);
    }
    return 0;
}

static int add_levels(Track *track, char *at, uint32_t count, const Py_buffer *view) {
    uint32_t capacity = track->mapped + count;
    Py_buffer *buffers = PyMem_Realloc(track->buffers, (track->buffer_count + 1) * sizeof(Py_buffer));
    if (buffers != NULL) track->buffers = buffers;
    Opened *opened = PyMem_Malloc(capacity * sizeof(Opened)), *before = track->opened;
    if (opened != NULL) { /* the sampler may interrupt: what it finds is whole */
        if (track->depth) memcpy(opened, before, track->depth * sizeof(Opened));
        __atomic_store_n(&track->opened, opened, __ATOMIC_RELEASE);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        PyMem_Free(before);
    }
    Level **levels = PyMem_Realloc(track->levels, capacity * sizeof(Level *));
    if (levels != NULL) track->levels = levels;
    if (buffers == NULL || opened == NULL || levels == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (uint32_t i = 0; i < count; i++) track->levels[track->mapped + i] = (Level *)at + i;
    track->buffers[track->buffer_count++] = *view;
    track->mapped = capacity;
    return 0;
}

static int need_level(Recorder *recorder, Track *track) {
    while (track->depth >= track->mapped) {
        PyObject *answer = PyObject_CallMethod(recorder->owner, "levels", "OI", track, track->mapped);
        PyObject *place;
        unsigned int count;
        Py_buffer view;
        char *at = NULL;
        if (answer != NULL && PyArg_ParseTuple(answer, "OI", &place, &count))
            at = map_place(place, (Py_ssize_t)count * OPEN_SIZE, &view);
        Py_XDECREF(answer);
        if (at == NULL) return -1;
        if (add_levels(track, at, count, &view) < 0) {
            PyBuffer_Release(&view);
            return -1;
        }
    }
    return 0;
}

/* Needs space: see need_events. */
static inline void write_event(Track *track, uint64_t start, uint32_t name, uint32_t depth, uint16_t flags,
                               uint64_t end) {
    Event *event = track->next++;
    event->start = start;
    event->name = name;
    event->depth = (uint16_t)(depth < MAX_DEPTH ? depth : MAX_DEPTH);
    event->flags = flags;
    __atomic_store_n(&event->end, end, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void open_level(Level *level, uint32_t name, uint64_t start) {
    level->name = name;
    __atomic_store_n(&level->start, start, __ATOMIC_RELEASE);
}

static inline void clear_level(Level *level) {
    __atomic_store_n(&level->start, 0, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* the level may be used again: nothing moves up over this */
}

static PyObject *enter_name, *aenter_name; /* interned */

/* The Python frame that called another. */
static inline const char *caller_of(const char *frame) {
    const char *caller = *(const char *const *)(frame + FRAME_PREVIOUS);
#if PY_VERSION_HEX >= 0x030C0000
    while (caller != NULL && (uint8_t)caller[FRAME_OWNER] >= OWNED_BY_C) caller = *(const char *const *)(caller + FRAME_PREVIOUS);
#endif
    return caller;
}

/* What enters a `with` block by running a generator, as `contextlib.contextmanager` makes it: the frame that has the block. */
static const char *frame_of_block(const char *generator) {
    const char *caller = caller_of(generator);
    if (caller == NULL) return NULL;
    PyObject *name = ((const PyCodeObject *)(*(const uintptr_t *)(caller + FRAME_CODE) & ~(uintptr_t)CODE_TAGS))->co_name;
    return name == enter_name || name == aenter_name ? caller_of(caller) : NULL;
}

/* A scope is opened by the frame that runs; by a context manager's generator, for the frame that has the block. */
static inline void note_opener(Opened *opened, const char *frame) {
    const char *block = NULL;
    opened->instruction = frame ? *(const uintptr_t *)(frame + FRAME_INSTRUCTION) : 0;
    if (frame != NULL && frame[FRAME_OWNER] == OWNED_BY_GENERATOR && (block = frame_of_block(frame)) != NULL) {
        frame = block;
        opened->instruction = 0; /* it is none of that frame's */
    }
    opened->frame = (uintptr_t)frame;
    opened->caller = frame ? (uintptr_t)caller_of(frame) : 0;
    opened->is_generator = frame && frame[FRAME_OWNER] == OWNED_BY_GENERATOR;
}

static inline void push_scope(Track *track, PyObject *scope, uint32_t id, const PyThreadState *tstate) {
    uint32_t depth = track->depth;
    Opened *opened = &track->opened[depth];
    opened->scope = Py_NewRef(scope);
    opened->name = id;
    note_opener(opened, (const char *)CURRENT_FRAME(tstate));
    opened->start = now_ns();
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* the sampler sees it complete, or not at all */
    track->depth = depth + 1;
    open_level(track->levels[depth], id, opened->start);
}

/* CPython may run a signal's handler between `__enter__` and the block (3.14), and if it raises there it calls no `__exit__`.
   Such a scope is found when its frame opens one at an earlier instruction, or closes one around it. */
static inline int may_be_left(const Track *track, const PyThreadState *tstate, uintptr_t from) {
    if (track->depth == 0) return 0;
    const Opened *top = &track->opened[track->depth - 1];
    return top->frame == (uintptr_t)CURRENT_FRAME(tstate) && top->instruction >= from && !top->is_generator;
}

static inline uintptr_t running_instruction(const PyThreadState *tstate) {
    const char *frame = (const char *)CURRENT_FRAME(tstate);
    return frame ? *(const uintptr_t *)(frame + FRAME_INSTRUCTION) : UINTPTR_MAX;
}

/* Whether an instruction is of the code that runs, and enters a `with` block. */
static int is_with(PyThreadState *tstate, uintptr_t instruction) {
    int lasti;
    PyCodeObject *code = (PyCodeObject *)running_code(tstate, &lasti);
    if (code == NULL || !PyCode_Check(code)) return 0;
    uintptr_t start = (uintptr_t)code->co_code_adaptive;
    if (instruction < start + 2 || instruction >= start + 2 * (uintptr_t)Py_SIZE(code)) return 0;
#if PY_VERSION_HEX >= 0x030E0000
    return *(const uint8_t *)(instruction - 2) == LOAD_SPECIAL;
#else
    return *(const uint8_t *)instruction == BEFORE_WITH;
#endif
}

static int close_left(Recorder *recorder, Track *track, PyThreadState *tstate, uintptr_t from) {
    while (may_be_left(track, tstate, from) && is_with(tstate, track->opened[track->depth - 1].instruction)) {
        if (need_events(recorder, track, 1) < 0) return -1;
        if (!may_be_left(track, tstate, from)) break; /* a signal handler closed it */
        Opened left = track->opened[track->depth - 1];
        write_event(track, left.start, left.name, track->depth - 1, 0, now_ns());
        track->depth--;
        clear_level(track->levels[track->depth]);
        Py_DECREF(left.scope);
    }
    return 0;
}

/* The id of a name at a call site, from the owner; 0 with an exception set. */
static uint32_t intern_site(Recorder *recorder, PyObject *name, PyObject *code, int lasti, int cache) {
    PyObject *answer = PyObject_CallMethod(recorder->owner, "intern", "OOi", name, code, lasti);
    if (answer == NULL) return 0;
    uint32_t id = (uint32_t)PyLong_AsUnsignedLong(answer);
    Py_DECREF(answer);
    if (PyErr_Occurred()) return 0;
    if (!cache) return id;
    PyThread_acquire_lock(recorder->lock, WAIT_LOCK);
    SiteTable *table = recorder->table;
    if (table->used < MAX_SITES && site_find(table, code, name, lasti) == 0) {
        if (2 * (table->used + 1) > table->mask) {
            SiteTable *grown = site_table_new(2 * (table->mask + 1), table);
            if (grown != NULL) {
                for (uint32_t i = 0; i <= table->mask; i++) {
                    Site *site = &table->sites[i];
                    if (site->id) site_put(grown, site->code, site->name, site->lasti, site->id);
                }
                __atomic_store_n(&recorder->table, grown, __ATOMIC_RELEASE);
                table = grown;
            }
        }
        if (2 * (table->used + 1) <= table->mask) {
            Py_INCREF(code);
            Py_INCREF(name);
            site_put(table, code, name, lasti, id);
        }
    }
    PyThread_release_lock(recorder->lock);
    return id;
}

static inline int is_constant(PyObject *name) { return PyUnicode_CheckExact(name) && PyUnicode_CHECK_INTERNED(name); }

/* The id of a known name, else 0; it calls nothing and sets no exception. */
static inline uint32_t known_id(Recorder *recorder, PyObject *name, PyObject *code, int lasti) {
    if (is_constant(name)) {
        if (code == NULL) return 0;
        return site_find(__atomic_load_n(&recorder->table, __ATOMIC_ACQUIRE), code, name, lasti);
    }
    if (!PyUnicode_CheckExact(name)) return 0;
    PyObject *known = NULL; /* computed at run time */
#if PY_VERSION_HEX >= 0x030D0000
    int found = PyDict_GetItemRef(recorder->names, name, &known);
#else
    int found = (known = Py_XNewRef(PyDict_GetItemWithError(recorder->names, name))) != NULL;
#endif
    uint32_t id = found > 0 ? (uint32_t)PyLong_AsUnsignedLong(known) : 0;
    Py_XDECREF(known);
    if (id == 0) PyErr_Clear();
    return id;
}

static uint32_t name_id(Recorder *recorder, PyObject *name, PyThreadState *tstate) {
    int lasti = 0;
    PyObject *code = running_code(tstate, &lasti);
    uint32_t id = known_id(recorder, name, code, lasti);
    if (id) return id;
    if (code == NULL) return intern_site(recorder, name, Py_None, 0, 0);
    Py_INCREF(code);
    id = intern_site(recorder, name, code, lasti, is_constant(name));
    Py_DECREF(code);
    return id;
}

static PyObject *recorder_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *owner;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "O", &owner)) return NULL;
    PyObject *names = PyObject_GetAttrString(owner, "names");
    if (names == NULL || !PyDict_Check(names)) {
        Py_XDECREF(names);
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a journal's names are a dict");
        return NULL;
    }
    Recorder *self = (Recorder *)type->tp_alloc(type, 0);
    if (self == NULL) {
        Py_DECREF(names);
        return NULL;
    }
    static pid_t process = 0;
    if (process != getpid()) {
        if (process != 0) renew_clock(&local.clock);
        process = getpid();
    }
    self->owner = Py_NewRef(owner);
    self->names = names;
    self->generation = __atomic_add_fetch(&generations, 1, __ATOMIC_RELAXED);
    self->lock = PyThread_allocate_lock();
    self->table = site_table_new(256, NULL);
    if (self->lock == NULL || self->table == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static PyType_Slot recorder_slots[] = {
    {Py_tp_new, recorder_new},
    {Py_tp_doc, "Recorder(journal): writes scopes to the chunks that the journal hands out."},
    {0, NULL},
};

/* A recorder that has ended stays, with its few kilobytes, because another thread may be in the middle of a
   store with it: `activate` takes a reference for good, once. */
static PyType_Spec recorder_spec = {"workbench.scopes._native.Recorder", sizeof(Recorder), 0, Py_TPFLAGS_DEFAULT,
                                    recorder_slots};

static PyTypeObject *recorder_type;

static PyObject *activate(PyObject *module, PyObject *argument) {
    (void)module;
    if (argument == Py_None) {
        __atomic_store_n(&active, NULL, __ATOMIC_RELEASE);
        Py_RETURN_NONE;
    }
    if (!Py_IS_TYPE(argument, recorder_type)) {
        PyErr_SetString(PyExc_TypeError, "activate() takes a Recorder or None");
        return NULL;
    }
    if (!__atomic_exchange_n(&((Recorder *)argument)->stays, 1, __ATOMIC_RELAXED)) Py_INCREF(argument);
    __atomic_store_n(&active, (Recorder *)argument, __ATOMIC_RELEASE);
    Py_RETURN_NONE;
}

/* ---- the scope ----------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    vectorcallfunc call; /* enter, leave and decorate: see `bound_call` */
    PyObject *name;
    PyObject *work;  /* dict of the scope's numbers, such as flops; or NULL */
    PyObject *code;  /* the function that the scope decorates; or NULL */
    uint64_t generation;
    uint32_t id;     /* of a decorated function's scope, in the recorder of that generation */
    uint64_t opened_in; /* generation of the recorder that it is open in; 0: it was closed */
} Scope;

static PyTypeObject *scope_type = NULL;
static PyObject *bound_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames);

/* A freed scope object is used for the next one: allocating and freeing it is a fifth of an idle scope's cost.
   It keeps its type. The GIL protects the spare one. */
#if !defined(Py_REF_DEBUG) && !defined(Py_TRACE_REFS)
static Scope *spare = NULL;

static inline Scope *take_spare(void) {
    Scope *taken = spare;
    if (taken == NULL) return NULL;
    spare = NULL;
    Py_SET_REFCNT((PyObject *)taken, 1);
    return taken;
}

static inline int keep_spare(Scope *self) {
    if (spare != NULL) return 0;
    spare = self;
    return 1;
}
#else
static inline Scope *take_spare(void) { return NULL; }
static inline int keep_spare(Scope *self) {
    (void)self;
    return 0;
}
#endif

static PyObject *scope_make(PyTypeObject *type, PyObject *name, PyObject *work) {
    if (!PyUnicode_CheckExact(name) && PyCallable_Check(name)) {
        PyErr_Format(PyExc_TypeError, "a scope needs a name: write @scope(\"predict\"), not @scope on %R", name);
        return NULL;
    }
    Scope *self = take_spare();
    if (self == NULL && (self = PyObject_New(Scope, type)) == NULL) return NULL;
    self->call = bound_call;
    self->name = Py_NewRef(name);
    self->work = Py_XNewRef(work);
    self->code = NULL;
    self->generation = self->opened_in = 0;
    self->id = 0;
    return (PyObject *)self;
}

static PyObject *scope_vectorcall(PyObject *type, PyObject *const *args, size_t nargsf, PyObject *kwnames) {
    Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    if (count == 1 && kwnames == NULL) return scope_make((PyTypeObject *)type, args[0], NULL);
    PyObject *name = count == 1 ? args[0] : NULL, *work = NULL;
    Py_ssize_t keywords = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    for (Py_ssize_t i = 0; i < keywords; i++) {
        PyObject *key = PyTuple_GET_ITEM(kwnames, i), *value = args[count + i];
        if (name == NULL && count == 0 && PyUnicode_CompareWithASCIIString(key, "name") == 0) {
            name = value;
            continue;
        }
        if (name != NULL && PyUnicode_CompareWithASCIIString(key, "name") == 0) {
            Py_XDECREF(work);
            PyErr_SetString(PyExc_TypeError, "scope() got two values for 'name'");
            return NULL;
        }
        if (work == NULL && (work = PyDict_New()) == NULL) return NULL;
        double number = PyFloat_AsDouble(value);
        if (number == -1.0 && PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_TypeError) && name != NULL)
            PyErr_Format(PyExc_TypeError, "scope %R: %U must be a number, not %s", name, key, Py_TYPE(value)->tp_name);
        PyObject *rounded = PyErr_Occurred() ? NULL : PyFloat_FromDouble(number);
        if (rounded == NULL || PyDict_SetItem(work, key, rounded) < 0) {
            Py_XDECREF(rounded);
            Py_DECREF(work);
            return NULL;
        }
        Py_DECREF(rounded);
    }
    if (name == NULL || count > 1 || (work != NULL && PyDict_GET_SIZE(work) > MAX_WORK)) {
        Py_XDECREF(work);
        PyErr_Format(PyExc_TypeError, "scope() takes one name, and up to %d numbers by keyword", MAX_WORK);
        return NULL;
    }
    PyObject *self = scope_make((PyTypeObject *)type, name, work);
    Py_XDECREF(work);
    return self;
}

static PyObject *scope_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    /* Reached only through pickle and copy: there are no subclasses. */
    PyObject *name;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "O", &name)) return NULL;
    return scope_make(type, name, NULL);
}

static void scope_dealloc(Scope *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_DECREF(self->name);
    Py_XDECREF(self->work);
    Py_XDECREF(self->code);
    if (keep_spare(self)) return;
    PyObject_Free(self);
    Py_DECREF(type);
}

/* The id of a decorated function's scope is kept with its scope, for one recorder at a time. */
static inline uint32_t decorated_id(const Recorder *recorder, const Scope *self) {
    if (__atomic_load_n(&self->generation, __ATOMIC_ACQUIRE) != recorder->generation) return 0;
    return __atomic_load_n(&self->id, __ATOMIC_RELAXED);
}

static uint32_t scope_id(Recorder *recorder, Scope *self, PyThreadState *tstate) {
    if (self->code == NULL) return name_id(recorder, self->name, tstate);
    uint32_t id = decorated_id(recorder, self);
    if (id) return id;
    id = intern_site(recorder, self->name, self->code, -1, 0);
    __atomic_store_n(&self->generation, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&self->id, id, __ATOMIC_RELEASE);
    if (id) __atomic_store_n(&self->generation, recorder->generation, __ATOMIC_RELEASE);
    return id;
}

/* The slow path: a new track, id or level. It holds the track, because the calls may run anything. */
static PyObject *enter_slowly(Recorder *recorder, Scope *self, PyThreadState *tstate) {
    Track *track = current_track(recorder, tstate);
    uint32_t id = track ? scope_id(recorder, self, tstate) : 0;
    int failed = id == 0 || close_left(recorder, track, tstate, running_instruction(tstate)) < 0 ||
                 need_level(recorder, track) < 0;
    if (!failed) {
        push_scope(track, (PyObject *)self, id, tstate);
        self->opened_in = recorder->generation;
    }
    Py_XDECREF(track);
    return failed && give_up(recorder) < 0 ? NULL : Py_NewRef((PyObject *)self);
}

static PyObject *scope_enter(Scope *self) {
    Recorder *recorder = __atomic_load_n(&active, __ATOMIC_ACQUIRE);
    if (recorder == NULL) return Py_NewRef((PyObject *)self);
    PyThreadState *tstate = PyThreadState_Get();
    if (!is_current(recorder, tstate)) return enter_slowly(recorder, self, tstate);
    uint32_t id;
    if (self->code == NULL) {
        int lasti = 0;
        PyObject *code = running_code(tstate, &lasti);
        id = known_id(recorder, self->name, code, lasti);
    } else {
        id = decorated_id(recorder, self);
    }
    Track *track = local.track;
    if (id == 0 || track->depth >= track->mapped || may_be_left(track, tstate, running_instruction(tstate)))
        return enter_slowly(recorder, self, tstate);
    push_scope(track, (PyObject *)self, id, tstate);
    self->opened_in = recorder->generation;
    return Py_NewRef((PyObject *)self);
}

typedef struct {
    uint64_t bits;
    uint32_t name;
} Value;

/* A scope's numbers, with ids; -1 with an exception set. */
static int work_values(Recorder *recorder, PyObject *work, Value *values) {
    PyObject *key, *value;
    Py_ssize_t position = 0;
    int count = 0;
    while (count < MAX_WORK && PyDict_Next(work, &position, &key, &value)) {
        double number = PyFloat_AsDouble(value);
        if (number == -1.0 && PyErr_Occurred()) return -1;
        memcpy(&values[count].bits, &number, sizeof number);
        uint32_t id = known_id(recorder, key, Py_None, WORK_SITE);
        if (id == 0) {
            Py_INCREF(key);
            id = intern_site(recorder, key, Py_None, WORK_SITE, is_constant(key));
            Py_DECREF(key);
        }
        if (id == 0) return -1;
        values[count++].name = id;
    }
    return count;
}

/* A scope that is not open on this track: it was opened before the recording, or on another track. */
static int closed_elsewhere(Recorder *recorder, Scope *scope) {
    if (scope->opened_in != recorder->generation) return 0;
    PyObject *answer = PyObject_CallMethod(recorder->owner, "closed_elsewhere", "O", scope->name);
    Py_XDECREF(answer);
    return answer == NULL ? -1 : 0;
}

/* The slow path: a full chunk, numbers, a scope that is not the innermost. */
static int close_scope(Recorder *recorder, Track *track, Scope *scope) {
    Value values[MAX_WORK];
    PyThreadState *tstate = PyThreadState_Get();
    for (uint32_t i = track->depth; i > 0; i--) {
        const Opened *own = &track->opened[i - 1];
        if (own->scope != (PyObject *)scope) continue;
        if (i < track->depth && own->frame == (uintptr_t)CURRENT_FRAME(tstate) && is_with(tstate, own->instruction) &&
            close_left(recorder, track, tstate, own->instruction + 1) < 0)
            return -1;
        break;
    }
    int count = scope->work ? work_values(recorder, scope->work, values) : 0;
    if (count < 0 || need_events(recorder, track, count + 1) < 0) return -1;
    uint64_t end = now_ns();
    uint32_t level = track->depth;
    while (level > 0 && track->opened[level - 1].scope != (PyObject *)scope) level--;
    if (level == 0) return closed_elsewhere(recorder, scope);
    level--;
    Opened closed = track->opened[level];
    for (int i = 0; i < count; i++) write_event(track, values[i].bits, values[i].name, level, FLAG_VALUE, end);
    int innermost = level == track->depth - 1;
    write_event(track, closed.start, closed.name, level, innermost ? 0 : FLAG_OUT_OF_ORDER, end);
    track->depth--;
    for (uint32_t i = level; i < track->depth; i++) {
        track->opened[i] = track->opened[i + 1];
        clear_level(track->levels[i]); /* it is also one level deeper until that is cleared */
        open_level(track->levels[i], track->opened[i].name, track->opened[i].start);
    }
    clear_level(track->levels[track->depth]);
    scope->opened_in = 0;
    Py_DECREF(closed.scope);
    return 0;
}

/* A scope must be closed even at the program's recursion limit. */
static void add_headroom(PyThreadState *tstate, int calls) {
#if PY_VERSION_HEX >= 0x030C0000
    tstate->py_recursion_remaining += calls;
#if PY_VERSION_HEX < 0x030E0000
    tstate->c_recursion_remaining += calls;
#endif
#else
    tstate->recursion_remaining += calls;
#endif
}

static PyObject *leave_slowly(Recorder *recorder, Scope *self, PyThreadState *tstate) {
    add_headroom(tstate, HEADROOM);
    PyObject *type = NULL, *value = NULL, *traceback = NULL; /* the program's, raised while this called Python */
    for (int attempt = 0; attempt < 16; attempt++) {
        Track *track = current_track(recorder, tstate);
        int failed = track == NULL || close_scope(recorder, track, self) < 0;
        Py_XDECREF(track);
        if (!failed) break;
        if (give_up(recorder) == 0) break;
        if (type == NULL) /* the scope must be closed before this propagates: try again */
            PyErr_Fetch(&type, &value, &traceback);
        else
            PyErr_Clear();
    }
    add_headroom(tstate, -HEADROOM);
    if (type == NULL) Py_RETURN_NONE;
    PyErr_Restore(type, value, traceback);
    return NULL;
}

static PyObject *scope_exit(Scope *self) {
    Recorder *recorder = __atomic_load_n(&active, __ATOMIC_ACQUIRE);
    if (recorder == NULL) Py_RETURN_NONE;
    uint64_t end = now_ns();
    PyThreadState *tstate = PyThreadState_Get();
    if (!is_current(recorder, tstate)) return leave_slowly(recorder, self, tstate);
    Track *track = local.track;
    uint32_t level = track->depth - 1;
    if (track->depth == 0 || track->opened[level].scope != (PyObject *)self || track->next == track->end ||
        self->work != NULL)
        return leave_slowly(recorder, self, tstate);
    /* The event first, then the level: a process that is killed between has the scope in both, not in none. */
    write_event(track, track->opened[level].start, track->opened[level].name, level, 0, end);
    track->depth = level;
    clear_level(track->levels[level]);
    self->opened_in = 0;
    Py_DECREF(self); /* the one that enter took; the caller holds another */
    Py_RETURN_NONE;
}

static PyObject *from_decorate(const char *name) {
    PyObject *module = PyImport_ImportModule("workbench.scopes._decorate");
    if (module == NULL) return NULL;
    PyObject *function = PyObject_GetAttrString(module, name);
    Py_DECREF(module);
    return function;
}

static PyObject *wrap_function = NULL; /* workbench.scopes._decorate.wrap */

static PyObject *scope_decorate(Scope *self, PyObject *function) {
    if (wrap_function == NULL && (wrap_function = from_decorate("wrap")) == NULL) return NULL;
    return PyObject_CallFunctionObjArgs(wrap_function, (PyObject *)self, function, NULL);
}

/* A `with` statement makes two bound methods, a third of its cost. Here `__enter__` and `__exit__` are
   descriptors that answer with the scope itself, and they differ in their arguments: nothing to
   enter, three arguments to leave, and one function to decorate. */
static PyObject *bound_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames) {
    Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    if (kwnames == NULL) {
        if (count == 0) return scope_enter((Scope *)self);
        if (count == 3) return scope_exit((Scope *)self);
        if (count == 1) return scope_decorate((Scope *)self, args[0]);
    }
    PyErr_SetString(PyExc_TypeError, "a scope decorates one function, or opens a block");
    return NULL;
}

typedef struct {
    PyObject_HEAD
} Itself;

static PyObject *itself_get(PyObject *self, PyObject *instance, PyObject *owner) {
    (void)owner;
    return Py_NewRef(instance == NULL ? self : instance);
}

/* type(scope).__enter__(scope), as contextlib calls it, and type(scope).__exit__(scope, ...). */
static PyObject *itself_call(PyObject *self, PyObject *args, PyObject *kwargs) {
    (void)self;
    Py_ssize_t count = PyTuple_GET_SIZE(args);
    if (count > 0 && Py_IS_TYPE(PyTuple_GET_ITEM(args, 0), scope_type) && kwargs == NULL) {
        if (count == 1) return scope_enter((Scope *)PyTuple_GET_ITEM(args, 0));
        if (count == 4) return scope_exit((Scope *)PyTuple_GET_ITEM(args, 0));
    }
    PyErr_SetString(PyExc_TypeError, "__enter__ takes a scope, and __exit__ a scope and three arguments");
    return NULL;
}

static void itself_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot itself_slots[] = {
    {Py_tp_descr_get, itself_get},
    {Py_tp_call, itself_call},
    {Py_tp_dealloc, itself_dealloc},
    {0, NULL},
};

static PyType_Spec itself_spec = {"workbench.scopes._native.method", sizeof(Itself), 0, Py_TPFLAGS_DEFAULT,
                                  itself_slots};

static PyObject *scope_repr(Scope *self) {
    PyObject *text = PyUnicode_FromFormat("scope(%R", self->name), *key, *value;
    Py_ssize_t position = 0;
    while (text != NULL && self->work != NULL && PyDict_Next(self->work, &position, &key, &value))
        Py_SETREF(text, PyUnicode_FromFormat("%U, %U=%R", text, key, value));
    if (text != NULL) Py_SETREF(text, PyUnicode_FromFormat("%U)", text));
    return text;
}

static PyObject *scope_of(Scope *self, PyObject *code) {
    /* A scope for every call of a decorated function; its call site is that function. */
    if (!PyCode_Check(code)) {
        PyErr_SetString(PyExc_TypeError, "_of() takes a code object");
        return NULL;
    }
    Scope *made = (Scope *)scope_make(Py_TYPE(self), self->name, self->work);
    if (made != NULL) made->code = Py_NewRef(code);
    return (PyObject *)made;
}

/* Decorated functions travel to workers by value, and their scopes with them. */
static PyObject *scope_reduce(Scope *self, PyObject *unused) {
    (void)unused;
    PyObject *restore = from_decorate("restore");
    if (restore == NULL) return NULL;
    return Py_BuildValue("N(OOO)", restore, self->name, self->work ? self->work : Py_None,
                         self->code ? self->code : Py_None);
}

static PyMethodDef scope_methods[] = {
    {"__reduce__", (PyCFunction)scope_reduce, METH_NOARGS, NULL},
    {"_of", (PyCFunction)scope_of, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef scope_members[] = {
    {"name", T_OBJECT, offsetof(Scope, name), READONLY, "the scope's name"},
    {"work", T_OBJECT, offsetof(Scope, work), READONLY, "the scope's numbers, or None"},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Scope, call), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot scope_slots[] = {
    {Py_tp_new, scope_new},
    {Py_tp_dealloc, scope_dealloc},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_repr, scope_repr},
    {Py_tp_methods, scope_methods},
    {Py_tp_members, scope_members},
    {Py_tp_doc, "Name the time that a block or function takes."},
    {0, NULL},
};

static PyType_Spec scope_spec = {"workbench.scope", sizeof(Scope), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL, scope_slots};

/* ---- counters, marks, cost ----------------------------------------------------------------------------- */

static PyObject *write_point(PyObject *name, double value, uint16_t flag) {
    Recorder *recorder = __atomic_load_n(&active, __ATOMIC_ACQUIRE);
    if (recorder == NULL) Py_RETURN_NONE;
    PyThreadState *tstate = PyThreadState_Get();
    Track *track = current_track(recorder, tstate);
    uint32_t id = track ? name_id(recorder, name, tstate) : 0;
    int failed = id == 0 || need_events(recorder, track, 1) < 0;
    if (!failed) {
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        write_event(track, bits, id, track->depth, flag, now_ns());
    }
    Py_XDECREF(track);
    if (failed && give_up(recorder) < 0) return NULL;
    Py_RETURN_NONE;
}

/* The arguments that a function wants, by position or keyword, borrowed; -1 with an exception set. */
static int take_arguments(const char *usage, const char *const *wanted, Py_ssize_t size, PyObject *const *args,
                          Py_ssize_t count, PyObject *kwnames, PyObject **found) {
    Py_ssize_t keywords = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    int fits = count + keywords == size;
    for (Py_ssize_t i = 0; fits && i < count; i++) found[i] = args[i];
    for (Py_ssize_t k = 0; fits && k < keywords; k++) {
        Py_ssize_t i = count;
        while (i < size && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, k), wanted[i]) != 0) i++;
        fits = i < size && found[i] == NULL;
        if (fits) found[i] = args[count + k];
    }
    if (fits) return 0;
    PyErr_SetString(PyExc_TypeError, usage);
    return -1;
}

static PyObject *counter(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const wanted[] = {"name", "value"};
    PyObject *found[2] = {NULL, NULL};
    (void)module;
    if (take_arguments("counter() takes a name and a value", wanted, 2, args, count, kwnames, found) < 0) return NULL;
    double value = PyFloat_AsDouble(found[1]);
    if (value == -1.0 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "counter %R takes a number, not %s", found[0], Py_TYPE(found[1])->tp_name);
        return NULL;
    }
    return write_point(found[0], value, FLAG_COUNTER);
}

static PyObject *mark(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const wanted[] = {"name"};
    PyObject *name = NULL;
    (void)module;
    if (take_arguments("mark() takes a name", wanted, 1, args, count, kwnames, &name) < 0) return NULL;
    return write_point(name, 0.0, FLAG_MARK);
}

/* (number of the track, names of its open scopes, start of the innermost), or None when nothing records. */
static PyObject *open_scopes(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    Recorder *recorder = __atomic_load_n(&active, __ATOMIC_ACQUIRE);
    if (recorder == NULL) Py_RETURN_NONE;
    PyObject *names = PyList_New(0);
    Track *track = names ? current_track(recorder, PyThreadState_Get()) : NULL;
    if (track == NULL) {
        Py_XDECREF(names);
        if (give_up(recorder) < 0) return NULL;
        Py_RETURN_NONE;
    }
    for (uint32_t i = 0; names != NULL && i < track->depth; i++)
        if (PyList_Append(names, ((Scope *)track->opened[i].scope)->name) < 0) Py_CLEAR(names);
    unsigned int number = track->number;
    uint64_t start = track->depth ? track->opened[track->depth - 1].start : 0;
    Py_DECREF(track);
    return names ? Py_BuildValue("INK", number, names, (unsigned long long)start) : NULL;
}

static PyMethodDef module_methods[] = {
    {"map_file", map_file, METH_VARARGS, "map_file($module, handle, size, /)\n--\n\nReturn a mapped file as a writable buffer."},
    {"open_scopes", open_scopes, METH_NOARGS, "The current track's number, its open scopes' names, and a start."},
    {"release_tracks", release_tracks, METH_NOARGS, "Let go of all threads' tracks, when a recording has ended."},
    {"activate", activate, METH_O, "Make scopes write to a recorder; None: they do nothing."},
    {"counter", (PyCFunction)(void (*)(void))counter, METH_FASTCALL | METH_KEYWORDS,
     "counter($module, /, name, value)\n--\n\nRecord the value of something that changes."},
    {"mark", (PyCFunction)(void (*)(void))mark, METH_FASTCALL | METH_KEYWORDS,
     "mark($module, /, name)\n--\n\nRecord that something happened at this moment."},
    {"on_valgrind", on_valgrind, METH_NOARGS, "on_valgrind($module, /)\n--\n\nReturn whether valgrind runs this process."},
    {"counted", counted, METH_VARARGS,
     "counted($module, run, loops, /)\n--\n\nCall a function so often and let callgrind count that; return its last result."},
    {"toggle_counting", toggle_counting, METH_NOARGS,
     "toggle_counting($module, /)\n--\n\nLet callgrind pause its count, or go on."},
    {"trace_without_imports", trace_without_imports, METH_VARARGS,
     "trace_without_imports($module, trace, exec, places, /)\n--\n\nStart tracemalloc by a call; it passes by what installed packages allocate while they are imported."},
    {"run_imported", (PyCFunction)(void (*)(void))run_imported, METH_FASTCALL,
     "run_imported($module, code, globals, /)\n--\n\nRun a module's code, as exec does, and trace it if it is the program's own."},
    {"pass_tracing", pass_tracing, METH_O,
     "pass_tracing($module, on, /)\n--\n\nLet tracemalloc pass by what this thread allocates, or not; return what was before."},
    {NULL, NULL, 0, NULL},
};

static int make_types(void) {
    track_type = (PyTypeObject *)PyType_FromSpec(&track_spec);
    tracks_type = (PyTypeObject *)PyType_FromSpec(&tracks_spec);
    recorder_type = (PyTypeObject *)PyType_FromSpec(&recorder_spec);
    PyTypeObject *scope = (PyTypeObject *)PyType_FromSpec(&scope_spec);
    PyTypeObject *itself_type = (PyTypeObject *)PyType_FromSpec(&itself_spec);
    if (!track_type || !tracks_type || !recorder_type || !scope || !itself_type) return -1;
    scope->tp_vectorcall = scope_vectorcall;
    PyObject *itself = itself_type->tp_alloc(itself_type, 0);
    if (itself == NULL || PyObject_SetAttrString((PyObject *)scope, "__enter__", itself) < 0 ||
        PyObject_SetAttrString((PyObject *)scope, "__exit__", itself) < 0)
        return -1;
    Py_DECREF(itself);
    scope_type = scope;
    return 0;
}

static int module_exec(PyObject *module) {
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) { /* the state is static */
        PyErr_SetString(PyExc_ImportError, "the native recorder works in the main interpreter alone");
        return -1;
    }
    prepare_ticks();
    if (sampler_prepare(module) < 0) return -1;
    if (enter_name == NULL) enter_name = PyUnicode_InternFromString("__enter__");
    if (aenter_name == NULL) aenter_name = PyUnicode_InternFromString("__aenter__");
    if (enter_name == NULL || aenter_name == NULL) return -1;
    /* A second import keeps the types, so that existing scopes keep working. */
    if (scope_type == NULL && make_types() < 0) return -1;
    if (PyModule_AddObjectRef(module, "Track", (PyObject *)track_type) < 0 ||
        PyModule_AddObjectRef(module, "Recorder", (PyObject *)recorder_type) < 0 ||
        PyModule_AddObjectRef(module, "scope", (PyObject *)scope_type) < 0 ||
        PyModule_AddFunctions(module, sampler_methods) < 0)
        return -1;
    return 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, "_native", "The native recorder.", 0, module_methods, module_slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void) {
#ifdef Py_GIL_DISABLED
    (void)module_definition;
    PyErr_SetString(PyExc_ImportError, "it needs a Python with the interpreter's lock, and this one is free-threaded");
    return NULL;
#else
    return PyModuleDef_Init(&module_definition);
#endif
}
