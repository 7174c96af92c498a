/* What the system counts of this process (docs/resources.md), read by the helper thread now and then and at both ends. It
   neither allocates nor takes a lock. What the helper itself uses is taken off: an idle program is seen to be idle. */

#include "sampler.h"

#if HAVE_SAMPLER
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define HIGH_FILE 512           /* descriptors that are kept open have such numbers */
#define READING_NS 50000000u    /* between two readings, at least */
#define EDGE_NS 5000000u        /* between the last one and one before a fork, or at a new beginning behind it */
#define MAX_COST 1000u          /* a reading takes at most one part in so many of the time up to the next */
#define NOT_TOLD UINT64_MAX

typedef struct {
    uint64_t cpu, faults, read, written, voluntary, involuntary;
} Counts;

static KeptFile memory = KEPT_NOTHING, bytes = KEPT_NOTHING, own_bytes = KEPT_NOTHING;
static Counts ended; /* of helpers before this one */
static Counts shown; /* as they were read last: they never decrease */
static uint64_t read_at, due;
static int is_off;

static int is_kept(const KeptFile *kept, struct stat *facts) {
    return kept->file >= 0 && fstat(kept->file, facts) == 0 && facts->st_dev == kept->device && facts->st_ino == kept->inode;
}

int kept_open(KeptFile *kept, const char *path, int flags, struct stat *facts) {
    if (is_kept(kept, facts)) return kept->file;
    kept->file = -1;
    int file = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (file < 0) return -1;
    kept->file = fcntl(file, F_DUPFD_CLOEXEC, HIGH_FILE); /* the program's own descriptors keep their numbers */
    close(file);
    if (kept->file < 0 || fstat(kept->file, facts) != 0) return -1;
    kept->device = facts->st_dev;
    kept->inode = facts->st_ino;
    return kept->file;
}

void kept_close(KeptFile *kept) {
    struct stat facts;
    if (is_kept(kept, &facts)) close(kept->file);
    kept->file = -1;
}

void resources_forget(void) {
    kept_close(&memory);
    kept_close(&bytes);
    kept_close(&own_bytes);
}

void resources_begin(void) {
    memset(&ended, 0, sizeof ended);
    memset(&shown, 0, sizeof shown);
    read_at = due = 0;
}

static int read_kept(KeptFile *kept, const char *path, char *text, size_t size) {
    struct stat facts;
    int file = kept_open(kept, path, 0, &facts);
    ssize_t got = file < 0 ? -1 : pread(file, text, size - 1, 0);
    text[got > 0 ? got : 0] = 0;
    return got > 0;
}

static uint64_t number_after(const char *text, const char *name) {
    const char *line = strstr(text, name);
    return line == NULL ? NOT_TOLD : strtoull(line + strlen(name), NULL, 10);
}

static uint64_t resident_bytes(void) {
    char text[256];
    if (!read_kept(&memory, "/proc/self/statm", text, sizeof text)) return 0;
    const char *second = strchr(text, ' '); /* in pages: all of its addresses, then what is resident */
    return second == NULL ? 0 : strtoull(second, NULL, 10) * PAGE;
}

static void count_bytes(KeptFile *kept, const char *path, Counts *counts) {
    char text[512];
    int is_told = read_kept(kept, path, text, sizeof text);
    counts->read = is_told ? number_after(text, "rchar: ") : NOT_TOLD;
    counts->written = is_told ? number_after(text, "wchar: ") : NOT_TOLD;
}

static Counts count(int whose, KeptFile *kept, const char *path) {
    struct rusage usage;
    Counts counts = {0, 0, NOT_TOLD, NOT_TOLD, 0, 0};
    if (getrusage(whose, &usage) == 0) {
        uint64_t seconds = (uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec;
        counts.cpu = 1000000000u * seconds + 1000u * ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec);
        counts.faults = (uint64_t)usage.ru_majflt;
        counts.voluntary = (uint64_t)usage.ru_nvcsw;
        counts.involuntary = (uint64_t)usage.ru_nivcsw;
    }
    count_bytes(kept, path, &counts);
    return counts;
}

static Counts count_own(void) {
    Counts own = count(RUSAGE_THREAD, &own_bytes, "/proc/thread-self/io");
    own.cpu += ended.cpu;
    own.faults += ended.faults;
    own.voluntary += ended.voluntary;
    own.involuntary += ended.involuntary;
    own.read = own.read == NOT_TOLD ? NOT_TOLD : own.read + ended.read;
    own.written = own.written == NOT_TOLD ? NOT_TOLD : own.written + ended.written;
    return own;
}

/* What the program has used: of all, less what helpers have. Both are read one after the other, hence the maximum. */
static uint64_t without(uint64_t all, uint64_t own, uint64_t before) {
    if (all == NOT_TOLD || own == NOT_TOLD) return NOT_TOLD;
    uint64_t left = all > own ? all - own : 0;
    return left > before || before == NOT_TOLD ? left : before;
}

static void take_reading(uint64_t now) {
    uint64_t before = own_cpu(), threads = threads_now();
    Counts all = count(RUSAGE_SELF, &bytes, "/proc/self/io"), own = count_own();
    shown = (Counts){without(all.cpu, own.cpu, shown.cpu),
                     without(all.faults, own.faults, shown.faults),
                     without(all.read, own.read, shown.read),
                     without(all.written, own.written, shown.written),
                     without(all.voluntary, own.voluntary, shown.voluntary),
                     without(all.involuntary, own.involuntary, shown.involuntary)};
    const uint64_t values[READING_VALUES] = {now,       resident_bytes(), threads,       shown.cpu,        shown.faults,
                                             shown.read, shown.written,   shown.voluntary, shown.involuntary};
    log_reading(values);
    uint64_t pause = (own_cpu() - before) * MAX_COST;
    read_at = now;
    due = now + (pause > READING_NS ? pause : READING_NS);
}

void resources_switch(int is_on) { __atomic_store_n(&is_off, !is_on, __ATOMIC_RELAXED); }

void resources_tick(uint64_t now) {
    if (now >= due && !__atomic_load_n(&is_off, __ATOMIC_RELAXED)) take_reading(now);
}

void resources_edge(uint64_t now, int is_end, int is_last) {
    if (read_at == 0 || is_last || now - read_at >= EDGE_NS) take_reading(now);
    due = now + READING_NS; /* whatever this one took: files are opened in the first */
    if (is_end) ended = count_own();
}
#endif
