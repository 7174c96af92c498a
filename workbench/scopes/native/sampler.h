/* What the files of the sampler share. The sampler runs on Linux, x86-64, with the CPythons that layout.h knows. */

#ifndef WORKBENCH_SAMPLER_H
#define WORKBENCH_SAMPLER_H

#include "recorder.h"

#if defined(__linux__) && defined(__x86_64__) && defined(__GLIBC__) && !defined(Py_GIL_DISABLED) && \
    PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x03100000
#define HAVE_SAMPLER 1
#else
#define HAVE_SAMPLER 0
#endif

#if HAVE_SAMPLER
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

#define MAX_THREADS 4096   /* sampled at once; further threads are counted and left out */
#define MAX_PYTHON 1000    /* innermost Python frames of a sample; the outer ones are cut */
#define MAX_LOOKED_AT 4000 /* Python frames */
#define MAX_NATIVE 256     /* innermost native frames of a sample */
#define MAX_SCOPES 1000    /* innermost open scopes of a sample */
#define MAX_CONTEXTS 64    /* contexts entered inside of each other that are looked at */
#define MAX_ENTRIES 512    /* entries into the interpreter's loop on one stack */
#define STACK_WINDOW 16384 /* bytes of a native stack that are read at once */
#define PAGE 4096u         /* bytes of memory that are there as a whole */
#define MAX_STACK (64u << 20) /* bytes: what is further from the stack pointer is not on that stack */
#define CODES_AT_ONCE 8    /* code objects that are read at once */
#define HASHED_TEXT 160    /* bytes of a name */
#define FREED_SLOTS 4096   /* power of two */
#define FRAME_WINDOW 2048  /* the same for Python frames */
#define NODE_SLOTS 32768   /* power of two */
#define CODE_SLOTS 1024    /* power of two */
#define RULE_SLOTS 256     /* power of two */

/* ---- memory.c: reads that cannot fault ----------------------------------------------------------------- */

int memory_prepare(void); /* find a way that works here; 0: there is none */
void memory_forget(void);
int memory_needs_file(void); /* whether a descriptor is needed for it */
size_t memory_read(void *to, uintptr_t from, size_t size, unsigned slot); /* bytes read, from the first on */
typedef struct {
    void *to;
    uintptr_t from;
    size_t size, got;
} Piece;
void memory_read_pieces(Piece *pieces, int count, unsigned slot);

/* ---- unwind.c: native frames by the tables of .eh_frame ------------------------------------------------- */

enum { RBX = 3, RBP = 6, RSP = 7, RIP = 16, REGISTERS = 17 }; /* DWARF's numbers; RIP is the return address */

typedef struct {
    uint64_t value[REGISTERS];
    uint32_t known; /* bit n: value[n] is known */
} Registers;

typedef struct Module {
    uintptr_t start, end, base; /* its addresses in memory; where its virtual address 0 is mapped */
    uint32_t id;
    uint8_t *copy, *copied;     /* room for its tables, filled by pages; which are (NULL: all) */
    uintptr_t copy_address;     /* where they are in memory */
    size_t copy_size;
    const uint8_t *eh;          /* .eh_frame in the copy, and to the copy's end; NULL: there are no tables */
    size_t eh_size;
    uintptr_t eh_address, header_address;
    const int32_t *table;       /* the sorted table of .eh_frame_hdr in the copy: pairs (function, entry) */
    size_t count;
    char build_id[41];
    char path[1024];
} Module;

typedef struct {
    size_t count;
    Module *modules[]; /* sorted by start */
} Modules;

typedef struct {
    uintptr_t pc;
    uintptr_t function; /* where the function begins, in memory; pc itself where that is not known */
    uint32_t module;    /* 0: none */
    int32_t cfa_offset;
    int16_t saved[6];   /* offsets from the CFA of rbx, rbp, r12 to r15; NOT_SAVED */
    uint8_t cfa_register;
    uint8_t flags;
} Rule;

typedef struct {
    uintptr_t function, base, sp, cfa;
    uint32_t module;
    uint8_t is_restart; /* found by an entry into the interpreter's loop: what it called is not known */
} NativeFrame;

typedef struct {
    uintptr_t low, size; /* addresses [low, low + size) are in bytes */
    unsigned slot;
    uint8_t *bytes;
    size_t capacity;
} Window;

typedef struct {
    const Modules *modules;
    Window stack;
    Rule rules[RULE_SLOTS];
    uint64_t rules_of; /* the generation of modules that the rules are of */
    uint64_t scratch[8 * 48]; /* remembered rows */
} Unwinder;

enum { UNWIND_END = 0, UNWIND_OK = 1, UNWIND_LOST = -1 };
/* Describe the frame that `registers` are in, and go to its caller. `is_exact`: the address is not one behind a call. */
int unwind_step(Unwinder *unwinder, Registers *registers, int is_exact, NativeFrame *frame);
int window_read(Window *window, uintptr_t from, void *to, size_t size);
extern uint64_t modules_generation;
extern int modules_missed; /* atomic: an address was in no module */

/* ---- modules.c: which ELF files are loaded --------------------------------------------------------------- */

extern Modules *modules_now;  /* atomic */
int modules_refresh(void);    /* 1: they have changed. Never while another thread forks */
void modules_release(void);   /* free what no handler can hold any more */

/* ---- stack.c: one sample's frames ------------------------------------------------------------------------ */

typedef struct {
    uintptr_t frame, code;
    int32_t instruction;
    uint8_t is_generator;
    uint16_t found; /* index into `codes` */
} PythonFrame;

typedef struct {
    uintptr_t record; /* on the C stack */
    uint32_t end;     /* index of the first Python frame outside */
} Entry;

typedef struct {
    uintptr_t code;
    uint64_t fingerprint; /* 0: not a code object */
} Code;

typedef struct {
    uintptr_t code;
    uint64_t fingerprint;
    uint32_t freed; /* as read when so many code objects had been freed */
} CheckedCode;

typedef struct {
    uintptr_t frame, caller;
    uint64_t start;
    uint32_t name;
    uint8_t is_generator;
} OpenScope;

#define MAX_CODES 256
#define MAX_ITEMS (MAX_PYTHON + MAX_NATIVE + MAX_SCOPES + 2)

/* A frame, a scope or a gap, as a node of the log has it. */
typedef struct {
    uint64_t b; /* as in the log, but for Python frames: the fingerprint of the code */
    uint32_t a;
    uint16_t kind, code;
} Item;
enum { KIND_PYTHON, KIND_NATIVE, KIND_SCOPE, KIND_CUT, KIND_GENERATOR };
enum { CUT_NATIVE = 1, CUT_PYTHON = 2 };

/* Where a sample is put together: one for each thread that is signalled, one for the helper. */
typedef struct {
    unsigned slot;
    int is_own; /* the thread itself reads: what it owns needs no safe read */
    uint32_t python_count, native_count, entry_count, scope_count, code_count;
    uint8_t native_cut, python_cut, incomplete;
    uint32_t track;
    uint64_t scope_start;
    PythonFrame python[MAX_PYTHON];
    NativeFrame native[MAX_NATIVE];
    Entry entries[MAX_ENTRIES];
    OpenScope scopes[MAX_SCOPES];
    Code codes[MAX_CODES];
    Item items[MAX_ITEMS]; /* innermost first */
    uint32_t item_count;
    CheckedCode checked[256];
    PyCodeObject copies[CODES_AT_ONCE];
    uint8_t texts[2 * CODES_AT_ONCE][sizeof(PyASCIIObject) + HASHED_TEXT];
    const _PyStackChunk *chunk; /* the thread's own newest; NULL: it may not be read without asking */
    uintptr_t stack_pointer;
    uint8_t frame_bytes[FRAME_WINDOW];
    uint8_t stack_bytes[STACK_WINDOW];
    Window frames;
    Unwinder unwinder;
} Scratch;

/* Read the Python frames of a thread. `state` may be another thread's. 0: none */
int stack_read_python(Scratch *scratch, uintptr_t state, uintptr_t stack_pointer);
const PyCodeObject *stack_read_code(Scratch *scratch, const Code *code);
int stack_watch_codes(void); /* with the GIL; negative: an exception is set */
void stack_read_native(Scratch *scratch, const Registers *registers);
void stack_read_scopes(Scratch *scratch, uintptr_t local, uintptr_t state, const void *recorder);
void stack_merge(Scratch *scratch); /* put all that was read into `items` */
int stack_check_layout(void); /* 0: this interpreter is not laid out as this file was compiled for */
int stack_waits_for_gil(uintptr_t state, uintptr_t futex);
int stack_is_state_of(uintptr_t state, pid_t tid);
void stack_list_states(uintptr_t interpreter, void (*found)(pid_t tid, uintptr_t state));

/* ---- sample_log.c: segments, chunks and records ---------------------------------------------------------- */

typedef struct {
    uint32_t parent_kind, a;
    uint64_t b;
    uint32_t epoch, id;
} NodeSlot;

typedef struct {
    uint64_t code, fingerprint;
    uint32_t epoch, id;
} CodeSlot;

typedef struct {
    Item item;
    uint32_t node;
} LastItem;
#define MAX_LAST 256 /* frames of a thread's last stack that are kept */

typedef struct {
    uint32_t segment; /* 0: there is none */
    char *next, *end;
} Room;

typedef struct {
    uint32_t number;          /* of the sampled thread, from 1 */
    pid_t tid;
    char name[12];
    uint32_t segment;         /* that its tables are of */
    Room room, spare;
    uint32_t wants;           /* bytes that did not fit */
    uint32_t chunk_size;
    uint32_t epoch, nodes, codes;
    uint64_t time, cpu;       /* of its last sample */
    uint32_t track;
    uint32_t *ticks;          /* see `writer_ticks`; NULL: it is not asleep */
    NodeSlot *node_slots;
    CodeSlot *code_slots;
    LastItem *last;           /* the stack of its last sample, outermost first, in this epoch */
    uint32_t last_count;
} Writer;

typedef struct {
    uint64_t time, cpu;
    uint32_t ticks;
    int state;
} Moment;

enum { STATE_UNKNOWN, STATE_PYTHON, STATE_NATIVE, STATE_WAITS_FOR_LOCK, STATE_WAITS, STATE_BLOCKED };

/* Write a sample, with the frames in `scratch` or, where that is NULL, without. 0: there was no room for it. */
int writer_write(Writer *writer, Scratch *scratch, const Moment *moment, int in_place);
uint32_t *writer_ticks(const Writer *writer); /* where to count a sleeping thread's ticks in place; NULL: nowhere */
int writer_provide(Writer *writer);   /* by the helper: see to room; 0: the log is full or failed */
int log_open(const char *prefix, const char *header, size_t header_size, uint64_t max_bytes, int keep_newest);
void log_modules(const Modules *modules);
void log_close(int stopped);
int log_error(void);          /* errno of what ended it; 0: it has not ended */

typedef struct {
    uint64_t period, start, last_tick, ticks, samples, unknown, cut, signals, interrupted, handler_ns, helper_ns,
        incomplete, no_room, signal, native, end;
} Status;
extern Status status;          /* in memory */
void log_status(void);         /* copy it to the log */

enum { READING_VALUES = 9 };
void log_reading(const uint64_t *values); /* READING_VALUES of them, the time first */

/* ---- resources.c: what the system counts of this process --------------------------------------------------- */

typedef struct {
    int file;
    dev_t device;
    ino_t inode;
} KeptFile;
#define KEPT_NOTHING {-1, 0, 0}
/* Return a descriptor that is kept open, or a new one: the program may have closed it, or have another by its number. */
int kept_open(KeptFile *kept, const char *path, int flags, struct stat *facts);
void kept_close(KeptFile *kept);

void resources_begin(void);                      /* of a log */
void resources_tick(uint64_t now);               /* take a reading if one is due */
void resources_edge(uint64_t now, int is_end, int is_last); /* take one as the helper begins or ends: the last in any case */
void resources_switch(int is_on);                /* for benchmarks: those between begin and end */
void resources_forget(void);                     /* let go of the files */

/* ---- sampler.c ------------------------------------------------------------------------------------------- */

uint64_t own_cpu(void);     /* of the calling thread, in nanoseconds */
uint64_t threads_now(void); /* of the program */

#endif /* HAVE_SAMPLER */

extern PyMethodDef sampler_methods[];
int sampler_prepare(PyObject *module);

#endif
