/* The frames of one thread at one moment, read without a fault whatever state the interpreter is in: Python frames
   from the interpreter's own list, native frames from the stack, and the scopes that are open. */

#include "sampler.h"

#if HAVE_SAMPLER
#include <internal/pycore_context.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>

static int64_t loop_frame_size = 0; /* from an entry into the interpreter's loop to the CFA of the loop's frame; learnt */
static uintptr_t loop_functions[4]; /* where the loop's function and parts of it begin; learnt */

/* A thread's own handler may read what it owns itself, without asking: its thread state, its recorder's data. */
static int read_own(const Scratch *scratch, void *to, uintptr_t from, size_t size) {
    if (!scratch->is_own) return memory_read(to, from, size, scratch->slot) == size;
    memcpy(to, (const void *)from, size);
    return 1;
}

/* ---- the interpreter ------------------------------------------------------------------------------------- */

int stack_check_layout(void) {
#if PY_VERSION_HEX >= 0x030D0000
    const _Py_DebugOffsets *own = (const _Py_DebugOffsets *)&_PyRuntime;
    if (memcmp(own->cookie, "xdebugpy", 8) != 0) return 0;
    if ((own->version >> 16) != (PY_VERSION_HEX >> 16)) return 0;
    return own->interpreter_frame.previous == FRAME_PREVIOUS && own->interpreter_frame.executable == FRAME_CODE &&
           own->interpreter_frame.instr_ptr == FRAME_INSTRUCTION && own->interpreter_frame.owner == FRAME_OWNER &&
           own->thread_state.current_frame == offsetof(PyThreadState, current_frame) &&
           own->thread_state.native_thread_id == offsetof(PyThreadState, native_thread_id) &&
           own->code_object.qualname == offsetof(PyCodeObject, co_qualname);
#else
    return (unsigned long)Py_Version >> 16 == PY_VERSION_HEX >> 16;
#endif
}

int stack_waits_for_gil(uintptr_t state, uintptr_t futex) {
#if PY_VERSION_HEX >= 0x030C0000
    uintptr_t interpreter = 0, gil = 0;
    if (memory_read(&interpreter, state + offsetof(PyThreadState, interp), 8, MAX_THREADS) != 8) return 0;
    if (memory_read(&gil, interpreter + offsetof(PyInterpreterState, ceval.gil), 8, MAX_THREADS) != 8) return 0;
#else
    (void)state;
    uintptr_t gil = (uintptr_t)&_PyRuntime.ceval.gil;
#endif
    return gil != 0 && futex - gil < sizeof(struct _gil_runtime_state);
}

int stack_is_state_of(uintptr_t state, pid_t tid) {
    unsigned long own = 0;
    return state != 0 && memory_read(&own, state + offsetof(PyThreadState, native_thread_id), sizeof own, MAX_THREADS) ==
                             sizeof own && own == (unsigned long)tid;
}

/* Call `found` for each thread state. The list is read while others change it: what is found must be checked. */
void stack_list_states(uintptr_t interpreter, void (*found)(pid_t tid, uintptr_t state)) {
    struct {
        char bytes[offsetof(PyThreadState, native_thread_id) + sizeof(unsigned long)];
    } head;
    uintptr_t at = 0;
    if (memory_read(&at, interpreter + offsetof(PyInterpreterState, threads.head), 8, MAX_THREADS) != 8) return;
    for (int steps = 0; at != 0 && steps < 2 * MAX_THREADS; steps++) {
        unsigned long tid;
        if (memory_read(&head, at, sizeof head, MAX_THREADS) != sizeof head) return;
        memcpy(&tid, head.bytes + offsetof(PyThreadState, native_thread_id), sizeof tid);
        found((pid_t)tid, at);
        memcpy(&at, head.bytes + offsetof(PyThreadState, next), sizeof at);
    }
}

/* ---- Python frames --------------------------------------------------------------------------------------- */

/* The interpreter's own stack of frames is this thread's alone, and there while its thread state points to it. */
static int is_in_own_chunk(const Scratch *scratch, uintptr_t at) {
    const _PyStackChunk *chunk = scratch->chunk;
    return chunk != NULL && at >= (uintptr_t)chunk->data && at + FRAME_SIZE <= (uintptr_t)chunk + chunk->size;
}

/* A frame's fields. Frames lie behind those that called them, so the bytes before it are read too. */
static int read_frame(Scratch *scratch, uintptr_t at, uint8_t *fields) {
    Window *window = &scratch->frames;
    if (is_in_own_chunk(scratch, at)) {
        memcpy(fields, (const void *)at, FRAME_SIZE);
        return 1;
    }
    if (at >= scratch->stack_pointer && at - scratch->stack_pointer < MAX_STACK) /* an entry, on the C stack */
        return window_read(&scratch->unwinder.stack, at, fields, FRAME_SIZE);
    if (at >= window->low && at - window->low <= window->size && window->size - (at - window->low) >= FRAME_SIZE) {
        memcpy(fields, window->bytes + (at - window->low), FRAME_SIZE);
        return 1;
    }
    uintptr_t end = at + FRAME_SIZE, low = end - FRAME_WINDOW, page = at & ~(uintptr_t)4095;
    if (low < page) low = page; /* the page before may not be there */
    window->low = low;
    window->size = memory_read(window->bytes, low, end - low, scratch->slot);
    if (window->size < end - low) {
        window->size = 0;
        return 0;
    }
    memcpy(fields, window->bytes + (at - low), FRAME_SIZE);
    return 1;
}

static uintptr_t field(const uint8_t *fields, int at) {
    uintptr_t value;
    memcpy(&value, fields + at, sizeof value);
    return value;
}

static uint32_t code_index(Scratch *scratch, uintptr_t code) {
    uint32_t count = scratch->code_count;
    for (uint32_t i = count; i > 0 && i + 32 > count; i--)
        if (scratch->codes[i - 1].code == code) return i - 1;
    if (count == MAX_CODES) return UINT32_MAX;
    scratch->codes[count] = (Code){code, 0};
    scratch->code_count = count + 1;
    return count;
}

/* A hash of a string's characters: where it lies may be another's soon after. */
static uint64_t hash_of_text(const uint8_t *bytes, size_t got) {
    PyASCIIObject head;
    if (got < sizeof head) return 0;
    memcpy(&head, bytes, sizeof head);
    size_t size = sizeof head + ((size_t)head.length < HASHED_TEXT ? (size_t)head.length : HASHED_TEXT);
    uint64_t hash = (uint64_t)head.length;
    for (size_t i = sizeof head; i < size && i < got; i++) hash = (hash ^ bytes[i]) * 0x100000001B3u;
    return hash;
}

/* What code objects are known by: their names, first lines and sizes. 0: it is none. All are read in two system calls. */
static void read_fingerprints(Scratch *scratch, Code **codes, PyCodeObject *copies, uint32_t count) {
    Piece pieces[2 * CODES_AT_ONCE];
    for (uint32_t i = 0; i < count; i++) pieces[i] = (Piece){&copies[i], codes[i]->code, sizeof(PyCodeObject), 0};
    memory_read_pieces(pieces, (int)count, scratch->slot);
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        codes[i]->fingerprint = pieces[i].got == sizeof(PyCodeObject) && copies[i].ob_base.ob_base.ob_type == &PyCode_Type;
        found += codes[i]->fingerprint;
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!codes[i]->fingerprint) continue;
        pieces[at] = (Piece){scratch->texts[at], (uintptr_t)copies[i].co_qualname, sizeof *scratch->texts, 0};
        at++;
        pieces[at] = (Piece){scratch->texts[at], (uintptr_t)copies[i].co_filename, sizeof *scratch->texts, 0};
        at++;
    }
    memory_read_pieces(pieces, (int)(2 * found), scratch->slot);
    at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!codes[i]->fingerprint) continue;
        uint64_t print = hash_of_text(scratch->texts[at], pieces[at].got) * 0x9E3779B97F4A7C15u;
        at++;
        print ^= hash_of_text(scratch->texts[at], pieces[at].got) * 0xC2B2AE3D27D4EB4Fu;
        at++;
        print = (print << 21 | print >> 43) + (uint64_t)copies[i].co_firstlineno * 0x165667B19E3779F9u;
        print += (uint64_t)copies[i].ob_base.ob_size * 0x27D4EB2F165667C5u;
        codes[i]->fingerprint = print | 1;
    }
}

/* How many code objects have been freed since the start, by a hash of where they were: as long as the number is the same,
   what was read of one stays true. */
static uint32_t codes_freed[FREED_SLOTS];

static uint32_t *freed_at(uintptr_t code) { return &codes_freed[(code >> 4) * 0x9E3779B97F4A7C15u >> 52]; }

static void count_freed(void *code) { __atomic_add_fetch(freed_at((uintptr_t)code), 1, __ATOMIC_RELEASE); }

#if PY_VERSION_HEX >= 0x030C0000
static int on_code(PyCodeEvent event, PyCodeObject *code) {
    if (event == PY_CODE_EVENT_DESTROY) count_freed(code);
    return 0;
}

int stack_watch_codes(void) { return PyCode_AddWatcher(on_code); }
#else
static destructor free_code;

static void count_and_free(PyObject *code) {
    count_freed(code);
    free_code(code);
}

/* 3.11 has no watchers of code objects: their type's deallocator counts. */
int stack_watch_codes(void) {
    if (PyCode_Type.tp_dealloc != count_and_free) {
        free_code = PyCode_Type.tp_dealloc;
        PyCode_Type.tp_dealloc = count_and_free;
    }
    return 0;
}
#endif

static CheckedCode *checked_code(Scratch *scratch, uintptr_t code) {
    return &scratch->checked[(code >> 4) * 0x9E3779B97F4A7C15u >> 56];
}

/* Read the code objects that are not known. What is none has no fingerprint: its frame is just being made. */
static void read_codes(Scratch *scratch) {
    Code *missing[CODES_AT_ONCE];
    uint32_t freed[CODES_AT_ONCE], i = 0;
    while (i < scratch->code_count) {
        uint32_t count = 0;
        for (; i < scratch->code_count && count < CODES_AT_ONCE; i++) {
            Code *code = &scratch->codes[i];
            const CheckedCode *known = checked_code(scratch, code->code);
            uint32_t now = __atomic_load_n(freed_at(code->code), __ATOMIC_ACQUIRE);
            if (known->code == code->code && known->freed == now) {
                code->fingerprint = known->fingerprint;
                continue;
            }
            freed[count] = now;
            missing[count++] = code;
        }
        if (count) read_fingerprints(scratch, missing, scratch->copies, count);
        for (uint32_t k = 0; k < count; k++)
            if (missing[k]->fingerprint)
                *checked_code(scratch, missing[k]->code) = (CheckedCode){missing[k]->code, missing[k]->fingerprint, freed[k]};
    }
}

/* A code object as it was when its fingerprint was taken; NULL: it has changed, or gone. */
const PyCodeObject *stack_read_code(Scratch *scratch, const Code *code) {
    Code now = *code, *one = &now;
    read_fingerprints(scratch, &one, scratch->copies, 1);
    return now.fingerprint == code->fingerprint ? scratch->copies : NULL;
}

static void add_entry(Scratch *scratch, uintptr_t record) {
    if (scratch->entry_count < MAX_ENTRIES)
        scratch->entries[scratch->entry_count++] = (Entry){record, scratch->python_count};
}

static void add_frame(Scratch *scratch, uintptr_t at, const uint8_t *fields) {
    if (scratch->python_count == MAX_PYTHON) { /* further out, entries alone are looked for */
        scratch->python_cut = 1;
        return;
    }
    uintptr_t code = field(fields, FRAME_CODE) & ~(uintptr_t)CODE_TAGS;
    uint32_t index = code == 0 || (code & 7) ? UINT32_MAX : code_index(scratch, code);
    if (index == UINT32_MAX) {
        scratch->incomplete++;
        return;
    }
    PythonFrame *frame = &scratch->python[scratch->python_count++];
    frame->frame = at;
    frame->code = code;
    frame->is_generator = fields[FRAME_OWNER] == OWNED_BY_GENERATOR;
    frame->found = (uint16_t)index;
    int64_t bytes = (int64_t)(field(fields, FRAME_INSTRUCTION) - (code + offsetof(PyCodeObject, co_code_adaptive)));
    frame->instruction = bytes < -2 || bytes > INT32_MAX ? -1 : (int32_t)(bytes >> 1);
}

#if PY_VERSION_HEX < 0x030D0000
/* An entry into the interpreter's loop: on the C stack, but for the outermost. */
static int read_entry(Scratch *scratch, uintptr_t record, void *to, size_t size) {
    if (record >= scratch->stack_pointer && record - scratch->stack_pointer < MAX_STACK)
        return window_read(&scratch->unwinder.stack, record, to, size);
    return record != 0 && memory_read(to, record, size, scratch->slot) == size;
}
#endif

int stack_read_python(Scratch *scratch, uintptr_t state, uintptr_t stack_pointer) {
    uint8_t fields[FRAME_SIZE];
    uintptr_t at = 0, record = 0;
    scratch->python_count = scratch->entry_count = scratch->code_count = 0;
    scratch->python_cut = scratch->incomplete = 0;
    scratch->stack_pointer = stack_pointer;
    scratch->chunk = scratch->is_own && state ? ((const PyThreadState *)state)->datastack_chunk : NULL;
    scratch->frames = (Window){0, 0, scratch->slot, scratch->frame_bytes, FRAME_WINDOW};
    scratch->unwinder.stack = (Window){0, 0, scratch->slot, scratch->stack_bytes, STACK_WINDOW};
    if (state == 0) return 0;
    if (stack_pointer) window_read(&scratch->unwinder.stack, stack_pointer, fields, 8); /* from there on, all at once */
#if PY_VERSION_HEX >= 0x030D0000
    if (!read_own(scratch, &at, state + offsetof(PyThreadState, current_frame), 8)) return 0;
#else
    _PyCFrame entry = {0};
    if (!read_own(scratch, &record, state + offsetof(PyThreadState, cframe), 8)) return 0;
    if (!read_entry(scratch, record, &entry, sizeof entry)) return 0;
    at = (uintptr_t)entry.current_frame;
#endif
    (void)record;
    for (int steps = 0; at != 0; steps++) {
        if (steps == MAX_LOOKED_AT) {
            scratch->python_cut = 1;
            break;
        }
        if ((at & 7) || !read_frame(scratch, at, fields)) {
            scratch->incomplete++;
            break;
        }
        uint8_t owner = fields[FRAME_OWNER];
#if PY_VERSION_HEX >= 0x030C0000
        if (owner >= OWNED_BY_C) add_entry(scratch, at); else add_frame(scratch, at, fields);
#else
        (void)owner;
        add_frame(scratch, at, fields);
        if (fields[FRAME_IS_ENTRY]) {
            add_entry(scratch, record);
            record = (uintptr_t)entry.previous;
            if (!read_entry(scratch, record, &entry, sizeof entry)) record = 0;
        }
#endif
        at = field(fields, FRAME_PREVIOUS);
    }
    read_codes(scratch);
    return 1;
}

/* ---- native frames --------------------------------------------------------------------------------------- */

/* Where tables lead no further, an entry into the interpreter's loop that is further out tells where its frame ends. */
static int restart(Scratch *scratch, Registers *registers, uint32_t *entry) {
    int64_t size = __atomic_load_n(&loop_frame_size, __ATOMIC_RELAXED);
    for (; size && *entry < scratch->entry_count; (*entry)++) {
        uintptr_t record = scratch->entries[*entry].record, cfa = record + (uintptr_t)size, pc;
        if (record < registers->value[RSP]) continue;
        if (!window_read(&scratch->unwinder.stack, cfa - 8, &pc, 8)) return 0;
        scratch->native[scratch->native_count++] = (NativeFrame){.sp = registers->value[RSP], .cfa = cfa, .is_restart = 1};
        registers->value[RIP] = pc;
        registers->value[RSP] = cfa;
        registers->known = 1u << RIP | 1u << RSP;
        return 1;
    }
    return 0;
}

static void learn_loop(uintptr_t function) {
    for (int i = 0; i < 4; i++) {
        uintptr_t known = __atomic_load_n(&loop_functions[i], __ATOMIC_RELAXED);
        if (known == 0) __atomic_store_n(&loop_functions[i], function, __ATOMIC_RELAXED);
        if (known == 0 || known == function) return;
    }
}

static int is_loop_function(uintptr_t function) {
    for (int i = 0; i < 4; i++)
        if (__atomic_load_n(&loop_functions[i], __ATOMIC_RELAXED) == function) return 1;
    return __atomic_load_n(&loop_functions[0], __ATOMIC_RELAXED) == 0;
}

void stack_read_native(Scratch *scratch, const Registers *from) {
    Unwinder *unwinder = &scratch->unwinder;
    Registers registers = *from;
    uint32_t entry = 0;
    int is_exact = 1;
    scratch->native_count = 0;
    scratch->native_cut = 0;
    unwinder->modules = __atomic_load_n(&modules_now, __ATOMIC_ACQUIRE);
    unwinder->stack.size = unwinder->stack.low == registers.value[RSP] ? unwinder->stack.size : 0;
    while (scratch->native_count + 1 < MAX_NATIVE) {
        NativeFrame *frame = &scratch->native[scratch->native_count++];
        int result = unwind_step(unwinder, &registers, is_exact, frame);
        is_exact = result > UNWIND_OK;
        if (result == UNWIND_END) return;
        if (result == UNWIND_LOST) {
            if (!restart(scratch, &registers, &entry)) {
                scratch->native_cut = 1;
                return;
            }
            entry++;
            continue;
        }
        while (entry < scratch->entry_count && scratch->entries[entry].record < frame->cfa) {
            if (scratch->entries[entry].record >= frame->sp) {
                if (loop_frame_size == 0)
                    __atomic_store_n(&loop_frame_size, (int64_t)(frame->cfa - scratch->entries[entry].record), __ATOMIC_RELAXED);
                learn_loop(frame->function);
            }
            entry++;
        }
    }
    scratch->native_cut = 1;
}

/* ---- scopes ---------------------------------------------------------------------------------------------- */

static void add_scopes(Scratch *scratch, uintptr_t track_at) {
    Track track;
    Opened opened[16];
    if (track_at == 0 || !read_own(scratch, &track, track_at, sizeof track)) return;
    if (track.depth > track.mapped) return;
    scratch->track = track.number;
    uint32_t first = track.depth > MAX_SCOPES / 2 ? track.depth - MAX_SCOPES / 2 : 0;
    while (first < track.depth) {
        uint32_t count = track.depth - first < 16 ? track.depth - first : 16;
        size_t size = count * sizeof(Opened);
        if (!read_own(scratch, opened, (uintptr_t)(track.opened + first), size)) return;
        for (uint32_t i = 0; i < count && scratch->scope_count < MAX_SCOPES; i++)
            scratch->scopes[scratch->scope_count++] =
                (OpenScope){opened[i].frame, opened[i].caller, opened[i].start, opened[i].name, (uint8_t)opened[i].is_generator};
        first += count;
    }
}

/* The track of the task that runs in a context. `Context.run` enters another one inside of the task's. */
static Track *task_track(const Scratch *scratch, uintptr_t context) {
    if (contexts == NULL) return NULL;
    for (int steps = 0; context != 0 && steps < MAX_CONTEXTS; steps++) {
        Track *track = track_of_context(context);
        if (track != NULL) return track;
        if (!read_own(scratch, &context, context + offsetof(PyContext, ctx_prev), sizeof context)) return NULL;
    }
    return NULL;
}

/* The open scopes of the thread and of the task that runs on it, outermost first. */
void stack_read_scopes(Scratch *scratch, uintptr_t local_at, uintptr_t state, const void *recorder) {
    Local own;
    ThreadTracks tracks;
    uintptr_t context = 0;
    scratch->scope_count = 0;
    scratch->track = 0;
    scratch->scope_start = 0;
    if (recorder == NULL || local_at == 0 || state == 0) return;
    if (!read_own(scratch, &own, local_at, sizeof own)) return;
    if (own.tracks == NULL || own.generation != ((const Recorder *)recorder)->generation) return;
    if (!read_own(scratch, &tracks, (uintptr_t)own.tracks, sizeof tracks)) return;
    if (!read_own(scratch, &context, state + offsetof(PyThreadState, context), sizeof context)) return;
    Track *task = task_track(scratch, context);
    if (task == NULL && context == (uintptr_t)own.context_object && own.track != (Track *)tracks.own) task = own.track;
    if (task == (Track *)tracks.own) task = NULL;
    char own_stack = 0;
    if (task != NULL && !read_own(scratch, &own_stack, (uintptr_t)task + offsetof(Track, own_stack), 1)) task = NULL;
    if (!own_stack) add_scopes(scratch, (uintptr_t)tracks.own);
    if (task != NULL) add_scopes(scratch, (uintptr_t)task);
}
/* ---- together -------------------------------------------------------------------------------------------- */

static void add_item(Scratch *scratch, uint16_t kind, uint32_t a, uint64_t b, uint16_t code) {
    if (scratch->item_count < MAX_ITEMS) scratch->items[scratch->item_count++] = (Item){b, a, kind, code};
}

static void add_scope_item(Scratch *scratch, const OpenScope *scope) {
    if (scratch->scope_start == 0) scratch->scope_start = scope->start;
    add_item(scratch, KIND_SCOPE, scope->name, 0, 0);
}

/* A scope is inside the frame that opened it or, where that was a helper that has returned, inside its caller. What
   resumes a generator is not around its scopes once it is suspended. */
static int is_opened_by(const OpenScope *scope, uintptr_t frame) {
    return scope->frame == frame || (!scope->is_generator && scope->caller == frame);
}

static int is_on_stack(const Scratch *scratch, const OpenScope *scope, uint32_t from) {
    for (uint32_t i = from; i < scratch->python_count; i++)
        if (is_opened_by(scope, scratch->python[i].frame)) return 1;
    return 0;
}

/* Python frames up to an entry, each within the scopes that it opened. `scope`: how many are not placed yet. */
static void add_python(Scratch *scratch, uint32_t *at, uint32_t end, uint32_t *scope) {
    for (; *at < end; (*at)++) {
        const PythonFrame *frame = &scratch->python[*at];
        while (*scope > 0) {
            const OpenScope *open = &scratch->scopes[*scope - 1];
            if (!is_opened_by(open, frame->frame)) {
                if (is_on_stack(scratch, open, *at)) break; /* further out */
                if (open->is_generator) { /* suspended */
                    (*scope)--;
                    continue;
                }
                if (scratch->python_cut) break; /* beyond what was read */
            }
            add_scope_item(scratch, open);
            (*scope)--;
        }
        if (scratch->codes[frame->found].fingerprint == 0) {
            scratch->incomplete++;
            continue;
        }
        add_item(scratch, frame->is_generator ? KIND_GENERATOR : KIND_PYTHON, (uint32_t)frame->instruction,
                 scratch->codes[frame->found].fingerprint, frame->found);
    }
}

/* Where Python frames are cut, nothing is known of C that is further out; the scopes there are. */
static int is_behind_cut(const Scratch *scratch, uint32_t at) { return scratch->python_cut && at == scratch->python_count; }

void stack_merge(Scratch *scratch) {
    uint32_t at = 0, entry = 0, scope = scratch->scope_count;
    scratch->item_count = 0;
    scratch->scope_start = 0;
    for (uint32_t i = 0; i < scratch->native_count && !is_behind_cut(scratch, at); i++) {
        const NativeFrame *frame = &scratch->native[i];
        int is_loop = 0;
        if (frame->is_restart) add_item(scratch, KIND_CUT, CUT_NATIVE, 0, 0);
        while (entry < scratch->entry_count && scratch->entries[entry].record < frame->cfa) {
            is_loop = scratch->entries[entry].record >= frame->sp;
            add_python(scratch, &at, scratch->entries[entry++].end, &scope);
        }
        if (!is_loop && scratch->python_cut && entry == scratch->entry_count && is_loop_function(frame->function)) {
            is_loop = 1; /* with so many frames that its entry was not come to */
            add_python(scratch, &at, scratch->python_count, &scope);
        }
        if (!is_loop) add_item(scratch, KIND_NATIVE, frame->module, frame->function - frame->base, 0);
    }
    if (scratch->native_cut && !is_behind_cut(scratch, at)) add_item(scratch, KIND_CUT, CUT_NATIVE, 0, 0);
    add_python(scratch, &at, scratch->python_count, &scope);
    if (scratch->python_cut) add_item(scratch, KIND_CUT, CUT_PYTHON, 0, 0);
    while (scope > 0) {
        const OpenScope *open = &scratch->scopes[--scope];
        if (!open->is_generator) add_scope_item(scratch, open);
    }
}
#endif
