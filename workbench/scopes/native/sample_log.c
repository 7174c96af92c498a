/* The samples in the log (docs/event-log.md): segments of a process, chunks of its threads, records. Segments and chunks
   are made by the helper thread; records are written by whoever took the sample, without a lock: a thread's handler,
   or the helper while the thread sleeps and has no signal under way. */

#include "sampler.h"

#if HAVE_SAMPLER
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_SIZE 4096
#define CHUNK_HEADER 24
#define FIRST_SEGMENT (16u << 10)  /* room for the first chunk of one thread */
#define LARGEST_SEGMENT (16u << 20)
#define FIRST_CHUNK (11u << 10)    /* some stacks of twenty frames, with their codes */
#define LARGEST_CHUNK (256u << 10)
#define LOW_ROOM (2u << 10)      /* a spare chunk is made when less is left */
#define RESERVE (16u * 10)       /* for what a sample needs beside its nodes */
#define MAX_SEGMENTS 4096
#define FIRST_READINGS 8         /* of the first chunk; each has twice as many as the one before */
#define MAX_READINGS 128
#define MAX_NAME 1000            /* characters */
#define MAX_LINES (64u << 10)    /* bytes of a table of lines */
enum { CHUNK_TEXT = 1, CHUNK_SAMPLES = 4, CHUNK_STATUS = 5, CHUNK_READINGS = 7, TEXT_MODULE = 9, TEXT_HEADER = 16 };
enum { TYPE_NODE = 1, TYPE_CODE, TYPE_THREAD, TYPE_NAME, TYPE_SET, TYPE_SAMPLE = 8 };
enum { SET_TICKS = 1, SET_TIME, SET_CPU, SET_SCOPE, SET_TRACK, SET_ANEW };
#define NO_SCOPE UINT32_MAX

typedef struct {
    char *bytes;
    size_t size, used;
} Segment;

static Segment segments[MAX_SEGMENTS];
static uint32_t segment_count, oldest;
static char prefix[PATH_MAX], header[HEADER_SIZE];
static uint64_t max_bytes;
static int keep_newest, failure;
static uint64_t *status_at;
static uint32_t modules_logged;
static char *reading_at; /* room for the next reading of what the system counts */
static uint32_t readings_left, readings_made, readings_in; /* of the chunk; the segment that it is in */
Status status;

int log_error(void) { return failure; }

static void segment_path(char *path, uint32_t number) { snprintf(path, PATH_MAX + 32, "%s-s%04u.wblog", prefix, number); }

/* Bytes of the recording, of all its processes. */
static uint64_t bytes_in_folder(void) {
    char folder[PATH_MAX];
    strcpy(folder, prefix);
    char *slash = strrchr(folder, '/');
    if (slash == NULL) return 0;
    *slash = 0;
    DIR *directory = opendir(folder);
    uint64_t sum = 0;
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        size_t length = strlen(entry->d_name);
        struct stat facts;
        if (length > 6 && strcmp(entry->d_name + length - 6, ".wblog") == 0 &&
            fstatat(dirfd(directory), entry->d_name, &facts, 0) == 0)
            sum += (uint64_t)facts.st_size;
    }
    if (directory != NULL) closedir(directory);
    return sum;
}

static Segment *segment(uint32_t number) { return &segments[number % MAX_SEGMENTS]; }

/* Return how large a new segment may be, from `least` to `size`; 0: the recording is full.

   Where the newest is kept, other segments take what room there is. Then this process's own older ones make way, and the
   new one is smaller; or there is a little more than the limit. */
static size_t room_for(size_t size, size_t least) {
    while (bytes_in_folder() + size > max_bytes || segment_count - oldest == MAX_SEGMENTS) {
        if (!keep_newest) return 0;
        if (oldest + 1 < segment_count) {
            char path[PATH_MAX + 32];
            if (oldest == readings_in) readings_left = 0;
            segment_path(path, oldest); /* each is read by itself: what is left needs nothing of it */
            unlink(path);
            /* A thread may be writing there: it stays mapped, without what it takes on the disk. */
            madvise(segment(oldest)->bytes, segment(oldest)->size, MADV_REMOVE);
            __atomic_store_n(&oldest, oldest + 1, __ATOMIC_RELEASE);
        } else {
            size = (size / 2) & ~(size_t)4095;
            if (size < least) return least;
        }
    }
    return size;
}

/* Descriptors 0 to 2 may be closed: what the program writes there must not go into this file. */
static int open_above_streams(const char *path) {
    int taken[3], count = 0, file;
    while ((file = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0 && file < 3 && count < 3) taken[count++] = file;
    if (file >= 0) close(file);
    file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int error = errno;
    while (count > 0) close(taken[--count]);
    errno = error;
    return file;
}

static int new_segment(size_t size, size_t least) {
    char path[PATH_MAX + 32];
    struct timespec wall;
    if ((size = room_for(size, least)) == 0) {
        failure = EFBIG;
        return 0;
    }
    uint32_t number = segment_count;
    segment_path(path, number);
    int file = open_above_streams(path);
    if (file < 0) {
        failure = errno;
        return 0;
    }
    int error = posix_fallocate(file, 0, (off_t)size);
    char *bytes = error ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (bytes == MAP_FAILED) {
        failure = error ? error : errno;
        close(file);
        unlink(path);
        return 0;
    }
    close(file);
    uint64_t now = system_ns(), size64 = size;
    clock_gettime(CLOCK_REALTIME, &wall);
    uint64_t wall_ns = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec;
    memcpy(bytes + 8, header + 8, HEADER_SIZE - 8);
    memcpy(bytes + 16, &size64, 8);
    memcpy(bytes + 24, &number, 4);
    memcpy(bytes + 40, &now, 8);
    memcpy(bytes + 48, &wall_ns, 8);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy(bytes, header, 8);
    if (segment_count >= MAX_SEGMENTS) munmap(segment(segment_count)->bytes, segment(segment_count)->size); /* gone long since */
    *segment(segment_count) = (Segment){bytes, size, HEADER_SIZE};
    __atomic_store_n(&segment_count, segment_count + 1, __ATOMIC_RELEASE);
    return 1;
}

/* Room for a chunk's content in the newest segment; NULL: there is none there. */
static char *chunk_here(uint32_t kind, uint64_t number, size_t size) {
    if (segment_count == 0) return NULL;
    Segment *newest = segment(segment_count - 1);
    uint32_t whole = (uint32_t)(CHUNK_HEADER + size);
    if (newest->size - newest->used < whole) return NULL;
    char *at = newest->bytes + newest->used;
    newest->used += whole;
    memcpy(at + 4, &kind, 4);
    memcpy(at + 8, &number, 8);
    __atomic_store_n((uint32_t *)(void *)at, whole, __ATOMIC_RELEASE);
    return at + CHUNK_HEADER;
}

static void begin_segment(size_t wanted) {
    size_t last = segment_count ? segment(segment_count - 1)->size : FIRST_SEGMENT / 4;
    size_t size = 4 * last < LARGEST_SEGMENT ? 4 * last : LARGEST_SEGMENT;
    size_t largest = max_bytes >> 6 > FIRST_SEGMENT ? (max_bytes >> 6) & ~(size_t)4095 : FIRST_SEGMENT;
    if (size > largest) size = largest;
    size_t least = (HEADER_SIZE + 512 + wanted + 2 * CHUNK_HEADER + 4095) & ~(size_t)4095;
    while (size < least) size *= 2;
    if (!new_segment(size, least)) return;
    status_at = (uint64_t *)(void *)chunk_here(CHUNK_STATUS, 0, sizeof(Status));
    log_status();
    modules_logged = 0;
}

static char *chunk(uint32_t kind, uint64_t number, size_t size) {
    if (failure) return NULL;
    char *at = chunk_here(kind, number, size);
    if (at != NULL) return at;
    begin_segment(size);
    return failure ? NULL : chunk_here(kind, number, size);
}

void log_status(void) {
    if (status_at == NULL) return;
    const uint64_t *from = (const uint64_t *)(const void *)&status;
    for (size_t i = 0; i < sizeof(Status) / 8; i++) __atomic_store_n(&status_at[i], from[i], __ATOMIC_RELAXED);
}

void log_reading(const uint64_t *values) {
    const size_t size = READING_VALUES * sizeof *values;
    if (readings_left == 0) {
        uint32_t wanted = readings_made ? 2 * readings_made : FIRST_READINGS;
        if (wanted > MAX_READINGS) wanted = MAX_READINGS;
        reading_at = chunk(CHUNK_READINGS, 0, wanted * size);
        if (reading_at == NULL) return;
        readings_left = readings_made = wanted;
        readings_in = segment_count - 1;
    }
    memcpy(reading_at + 8, values + 1, size - 8);
    __atomic_store_n((uint64_t *)(void *)reading_at, values[0], __ATOMIC_RELEASE);
    reading_at += size;
    readings_left--;
}

static size_t module_text(const Module *module, char *text, size_t size) {
    return (size_t)snprintf(text, size, "%lx %s %s", (unsigned long)module->base, module->build_id, module->path);
}

static size_t module_bytes(const Modules *modules, uint32_t after) {
    char text[1200];
    size_t sum = 0;
    for (size_t i = 0; i < modules->count; i++)
        if (modules->modules[i]->id > after)
            sum += TEXT_HEADER + ((module_text(modules->modules[i], text, sizeof text) + 7) & ~(size_t)7);
    return sum;
}

/* Name the modules in the newest segment; those that are named there already are left out. */
void log_modules(const Modules *modules) {
    char text[1200];
    if (segment_count == 0 || modules == NULL || failure) return;
    size_t size = module_bytes(modules, modules_logged);
    if (size == 0) return;
    char *at = chunk_here(CHUNK_TEXT, 0, size);
    if (at == NULL) {
        size = module_bytes(modules, 0);
        begin_segment(size);
        if (failure || (at = chunk_here(CHUNK_TEXT, 0, size)) == NULL) return;
    }
    uint32_t last = modules_logged, after = modules_logged;
    for (size_t i = 0; i < modules->count; i++) {
        uint32_t kind = TEXT_MODULE;
        uint64_t number = modules->modules[i]->id;
        if (number <= after) continue;
        if (number > last) last = (uint32_t)number;
        size_t length = module_text(modules->modules[i], text, sizeof text);
        memcpy(at + TEXT_HEADER, text, length);
        memcpy(at + 4, &kind, 4);
        memcpy(at + 8, &number, 8);
        __atomic_store_n((uint32_t *)(void *)at, (uint32_t)length + 1, __ATOMIC_RELEASE);
        at += TEXT_HEADER + ((length + 7) & ~(size_t)7);
    }
    modules_logged = last;
}

int log_open(const char *path, const char *first, size_t size, uint64_t limit, int newest) {
    if (strlen(path) >= PATH_MAX || size != HEADER_SIZE) return EINVAL;
    strcpy(prefix, path);
    memcpy(header, first, HEADER_SIZE);
    max_bytes = limit;
    keep_newest = newest;
    failure = 0;
    segment_count = oldest = modules_logged = 0;
    readings_left = readings_made = 0;
    status_at = NULL;
    return 0;
}

void log_close(int stopped) {
    uint64_t now = system_ns();
    uint32_t why = (uint32_t)stopped;
    char path[PATH_MAX + 32];
    for (uint32_t i = segment_count > MAX_SEGMENTS ? segment_count - MAX_SEGMENTS : 0; i < segment_count; i++) {
        uint64_t used = segment(i)->used;
        if (i >= oldest) {
            memcpy(segment(i)->bytes + 16, &used, 8);
            memcpy(segment(i)->bytes + 36, &why, 4);
            memcpy(segment(i)->bytes + 56, &now, 8);
        }
        munmap(segment(i)->bytes, segment(i)->size);
        segment_path(path, i);
        if (i < oldest || truncate(path, (off_t)used) != 0) continue; /* it is gone, or longer than need be */
    }
    segment_count = readings_left = 0;
    status_at = NULL;
    failure = failure ? failure : EPIPE;
}

/* ---- records --------------------------------------------------------------------------------------------- */

static inline void put(char *at, uint32_t type, uint32_t small, uint32_t number, uint32_t a, uint64_t b) {
    memcpy(at + 4, &a, 4);
    memcpy(at + 8, &b, 8);
    __atomic_store_n((uint32_t *)(void *)at, type | small << 4 | number << 8, __ATOMIC_RELEASE);
}

/* Whether a segment, by its number from 1, has made way for newer ones. */
static int is_gone(uint32_t number) { return number != 0 && number <= __atomic_load_n(&oldest, __ATOMIC_ACQUIRE); }

/* Room for so many bytes and the reserve; moves to the spare chunk. Where that is in another segment `moved` is set. */
static char *take_room(Writer *writer, size_t size, int *moved) {
    if ((size_t)(writer->room.end - writer->room.next) < size + RESERVE || is_gone(writer->room.segment)) {
        if (writer->spare.segment == 0 || (size_t)(writer->spare.end - writer->spare.next) < size + RESERVE) {
            if (size + RESERVE > writer->wants) writer->wants = (uint32_t)(size + RESERVE);
            return NULL;
        }
        writer->room = writer->spare;
        writer->spare = (Room){0, NULL, NULL};
        if (writer->room.segment != writer->segment) { /* the list begins anew there, and so must the caller */
            *moved = 1;
            return writer->room.next;
        }
    }
    char *at = writer->room.next;
    writer->room.next += size;
    return at;
}

static void forget_tables(Writer *writer) {
    writer->epoch++;
    writer->last_count = 0;
    writer->nodes = writer->codes = 0;
}

/* What a thread's list in a segment begins with. */
static void begin_list(Writer *writer, uint64_t time) {
    uint64_t b;
    uint32_t a;
    writer->segment = writer->room.segment;
    forget_tables(writer);
    writer->time = time;
    put(writer->room.next, TYPE_THREAD, 0, (uint32_t)writer->tid, 0, time);
    writer->room.next += 16;
    memcpy(&a, writer->name, 4);
    memcpy(&b, writer->name + 4, 8);
    put(writer->room.next, TYPE_NAME, (uint32_t)strnlen(writer->name, 12), 0, a, b);
    writer->room.next += 16;
    if (writer->track) {
        put(writer->room.next, TYPE_SET, SET_TRACK, 0, writer->track, 0);
        writer->room.next += 16;
    }
}

typedef struct {
    uintptr_t at;
    uint32_t size, width; /* bytes; 0, 1 or 2: of one, two or four bytes a character */
} Text;

static Text text_of(uintptr_t object, unsigned slot) {
    PyASCIIObject head;
    Text none = {0, 0, 0};
    if (memory_read(&head, object, sizeof head, slot) != sizeof head || !head.state.compact) return none;
    uint32_t kind = head.state.kind, characters = (uint32_t)(head.length < MAX_NAME ? head.length : MAX_NAME);
    if (head.length < 0 || (kind != 1 && kind != 2 && kind != 4)) return none;
    size_t data = head.state.ascii ? sizeof(PyASCIIObject) : sizeof(PyCompactUnicodeObject);
    return (Text){object + data, characters * kind, kind >> 1};
}

/* Describe a code object; its number, or 0 without room. */
static uint32_t add_code(Writer *writer, const Code *code, Scratch *scratch, int *moved) {
    static const PyCodeObject none; /* it has just gone: a frame without a name */
    const PyCodeObject *copy = stack_read_code(scratch, code);
    unsigned slot = scratch->slot;
    if (copy == NULL) copy = &none;
    Text name = text_of((uintptr_t)copy->co_qualname, slot), file = text_of((uintptr_t)copy->co_filename, slot);
    uintptr_t table = (uintptr_t)copy->co_linetable;
    Py_ssize_t lines = 0;
    if (memory_read(&lines, table + offsetof(PyVarObject, ob_size), sizeof lines, slot) != sizeof lines || lines < 0 ||
        lines > (Py_ssize_t)MAX_LINES)
        lines = 0;
    uint32_t content = 16 + name.size + file.size + (uint32_t)lines, records = (content + 15) / 16;
    char *at = take_room(writer, 16 + 16 * (size_t)records, moved);
    if (at == NULL || *moved) return 0;
    uint32_t numbers[4] = {name.size, file.size, (uint32_t)lines, name.width | file.width << 2};
    char *to = at + 16;
    memcpy(to, numbers, 16);
    to += 16;
    memory_read(to, name.at, name.size, slot);
    memory_read(to + name.size, file.at, file.size, slot);
    memory_read(to + name.size + file.size, table + offsetof(PyBytesObject, ob_sval), (size_t)lines, slot);
    put(at, TYPE_CODE, 0, records, (uint32_t)copy->co_firstlineno, ++writer->codes);
    return writer->codes;
}

static uint64_t mixed(uint64_t x) { return (x ^ x >> 29) * 0x9E3779B97F4A7C15u; }

static uint32_t find_code(Writer *writer, const Code *code, Scratch *scratch, int *moved) {
    uint32_t at = (uint32_t)(mixed(code->code ^ code->fingerprint) >> 32);
    for (uint32_t i = 0; i < CODE_SLOTS; i++) {
        CodeSlot *entry = &writer->code_slots[(at + i) & (CODE_SLOTS - 1)];
        if (entry->epoch != writer->epoch) {
            uint32_t id = add_code(writer, code, scratch, moved);
            if (id) *entry = (CodeSlot){code->code, code->fingerprint, writer->epoch, id};
            return id;
        }
        if (entry->code == code->code && entry->fingerprint == code->fingerprint) return entry->id;
    }
    return 0;
}

static uint32_t find_node(Writer *writer, uint32_t parent, uint32_t kind, uint32_t a, uint64_t b, int *moved) {
    uint32_t key = parent << 3 | kind;
    uint32_t at = (uint32_t)(mixed(mixed(b + a) ^ key) >> 32);
    for (uint32_t i = 0; i < NODE_SLOTS; i++) {
        NodeSlot *entry = &writer->node_slots[(at + i) & (NODE_SLOTS - 1)];
        if (entry->epoch != writer->epoch) {
            char *to = take_room(writer, 16, moved);
            if (to == NULL || *moved) return 0;
            put(to, TYPE_NODE, kind, parent, a, b);
            *entry = (NodeSlot){key, a, b, writer->epoch, ++writer->nodes};
            return writer->nodes;
        }
        if (entry->parent_kind == key && entry->a == a && entry->b == b) return entry->id;
    }
    return 0;
}

/* The node of a whole stack; 0: no room. Its outer part is mostly that of the thread's last sample. */
static uint32_t find_stack(Writer *writer, Scratch *scratch, int *moved) {
    uint32_t node = 0, count = scratch->item_count, same = 0;
    while (same < writer->last_count && same < count) {
        const Item *item = &scratch->items[count - 1 - same], *last = &writer->last[same].item;
        if (item->b != last->b || item->a != last->a || item->kind != last->kind) break;
        node = writer->last[same++].node;
    }
    writer->last_count = same;
    for (uint32_t i = same; i < count; i++) {
        const Item *item = &scratch->items[count - 1 - i];
        uint64_t b = item->b;
        if (item->kind == KIND_PYTHON || item->kind == KIND_GENERATOR) {
            b = find_code(writer, &scratch->codes[item->code], scratch, moved);
            if (b == 0) return 0;
        }
        node = find_node(writer, node, item->kind, item->a, b, moved);
        if (node == 0) return 0;
        if (i < MAX_LAST) {
            writer->last[i] = (LastItem){*item, node};
            writer->last_count = i + 1;
        }
    }
    return node;
}

static void set(Writer *writer, uint32_t what, uint32_t a, uint64_t b) {
    put(writer->room.next, TYPE_SET, what, 0, a, b);
    writer->room.next += 16;
}

int writer_write(Writer *writer, Scratch *scratch, const Moment *moment, int in_place) {
    int moved = 0;
    uint32_t node = 0, age = NO_SCOPE, state = (uint32_t)moment->state;
    char *at = take_room(writer, 0, &moved);
    if (at == NULL) return 0;
    if (writer->segment != writer->room.segment) begin_list(writer, moment->time);
    writer->ticks = NULL;
    if (scratch != NULL && scratch->item_count > 0) {
        if (writer->nodes + scratch->item_count > NODE_SLOTS * 3 / 4 || writer->codes + scratch->code_count > CODE_SLOTS * 3 / 4) {
            forget_tables(writer);
            set(writer, SET_ANEW, 0, 0);
        }
        moved = 0;
        node = find_stack(writer, scratch, &moved);
        if (moved) { /* in another segment everything is named anew */
            begin_list(writer, moment->time);
            moved = 0;
            node = find_stack(writer, scratch, &moved);
        }
        if (node == 0) state = STATE_UNKNOWN;
    }
    if (scratch != NULL && scratch->track != writer->track) set(writer, SET_TRACK, writer->track = scratch->track, 0);
    uint64_t since = moment->time - writer->time, cpu = moment->cpu - writer->cpu;
    if (moment->time < writer->time || since > UINT32_MAX) {
        set(writer, SET_TIME, 0, moment->time);
        since = 0;
    }
    if (moment->cpu < writer->cpu) cpu = 0;
    if (cpu > UINT32_MAX) {
        set(writer, SET_CPU, 0, cpu);
        cpu = 0;
    }
    if (scratch != NULL && scratch->scope_start && scratch->scope_start <= moment->time) {
        uint64_t long_ago = moment->time - scratch->scope_start;
        if (long_ago >= NO_SCOPE) set(writer, SET_SCOPE, 0, scratch->scope_start); else age = (uint32_t)long_ago;
    }
    uint32_t ticks = moment->ticks, small = ticks;
    uint32_t *counted = NULL;
    if (ticks > 15 || in_place) {
        counted = (uint32_t *)(void *)(writer->room.next + 4);
        set(writer, SET_TICKS, ticks, 0);
        small = 0;
    }
    put(writer->room.next, TYPE_SAMPLE + state, small, node, (uint32_t)since, cpu | (uint64_t)age << 32);
    writer->room.next += 16;
    writer->time = moment->time;
    writer->cpu = moment->cpu;
    writer->ticks = in_place ? counted : NULL;
    return 1;
}

uint32_t *writer_ticks(const Writer *writer) { return is_gone(writer->segment) ? NULL : writer->ticks; }

int writer_provide(Writer *writer) {
    if (failure) return 0;
    size_t left = (size_t)(writer->room.end - writer->room.next);
    if (writer->room.segment != 0 && !is_gone(writer->room.segment) && !writer->wants && left >= LOW_ROOM) return 1;
    if (writer->spare.segment != 0 && !is_gone(writer->spare.segment) && (!writer->wants || (size_t)(writer->spare.end - writer->spare.next) >= writer->wants)) return 1;
    uint32_t size = writer->chunk_size ? 2 * writer->chunk_size : FIRST_CHUNK;
    if (size > LARGEST_CHUNK) size = LARGEST_CHUNK;
    if (size > max_bytes >> 8) size = max_bytes >> 8 > FIRST_CHUNK ? (uint32_t)(max_bytes >> 8) & ~15u : FIRST_CHUNK;
    if (size < writer->wants + LOW_ROOM) size = (writer->wants + LOW_ROOM + 15) & ~15u;
    char *at = chunk(CHUNK_SAMPLES, writer->number, size);
    if (at == NULL) return 0;
    writer->chunk_size = size;
    writer->wants = 0;
    Room made = {segment_count, at, at + size};
    if (writer->room.segment == 0) writer->room = made; else writer->spare = made;
    return 1;
}
#endif
