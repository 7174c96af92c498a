/* The sampler. A helper thread, which never takes the interpreter's lock, wakes at one random moment of each period. It
   signals threads that run: their handler takes the sample. Threads that sleep are not signalled, for a system call
   may end early; their frames are read from outside, and counted on while they use no processor time.

   A thread and the helper never write at the same time: the helper keeps away from a thread to which it has sent a
   signal until the handler is done, or until it has taken the signal back (see `pending`). */

#include "sampler.h"

#if HAVE_SAMPLER
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define HELPER_STACK (256u << 10)
#define RELIST_TICKS 16    /* at most so many ticks between two listings of the threads */
#define CHECK_TICKS 16     /* the same for whether the signal is still ours */
#define MODULE_TICKS 8     /* the same for loaded modules, where no frame was in one that is not known */
#define MAX_ASLEEP 16      /* threads known to sleep that are looked at in one tick: more take turns */
#define SLICE_NS 100000u   /* the shortest that Linux grants */
#define FIRST_KEYS 32      /* PTHREAD_KEY_2NDLEVEL_SIZE of glibc */
#define STAT_NS 10000000u  /* of one of the units in which the system states when a thread began */
#define PATIENCE_TICKS 3   /* a running thread that does not answer for so long may block the signal */
#define HELPER_SLOT MAX_THREADS
#define SYS_CLOSE_RANGE 436 /* the C library's headers may be older than the system */
enum { IDLE, SENT, BUSY, TAKEN_BACK };

typedef struct {
    Writer writer;
    pid_t tid;                 /* 0: this place is free */
    int pending;               /* atomic, enum above */
    uint64_t waited;           /* nanoseconds for which it had waited for a processor when it was last seen asleep */
    uint64_t counted;          /* ticks up to which samples stand for them */
    uint64_t absent;           /* ticks up to which it was not there */
    uint32_t unanswered;       /* ticks since the signal was sent */
    int sent_number;           /* the signal that was sent */
    uint64_t cpu;              /* its processor time when it was last seen asleep */
    uintptr_t state, local;    /* its thread state, its recorder's local data; 0: not known */
    Scratch *scratch;
    uint32_t mark;             /* of the listing in which it was found last */
    int is_new;                /* no tick has met it yet */
    int is_watched;            /* its end will be noted */
    uint64_t ended;            /* atomic: when it ended; 0: that is not known */
    uint64_t cut_at;           /* generation of modules with which native frames ended early; 0: they did not */
} Sampled;

static Sampled *threads[MAX_THREADS];
static uint8_t asleep[MAX_THREADS]; /* whether each was asleep when it was looked at last: it may take turns */
static uint64_t tick_count;    /* atomic */
static uint64_t last_count;    /* the same before this tick */
static uint32_t thread_count, thread_numbers, listing;
static uint64_t listed;         /* ticks when the threads were listed last */
static uint64_t complete;       /* ticks when all threads were known last */
static int has_ended;           /* a thread has since, and another may be in its place */
static Scratch *helper_scratch;
static pthread_t helper;
static pthread_mutex_t forking = PTHREAD_MUTEX_INITIALIZER; /* held while loaded modules are listed */
static uint32_t stop_word;      /* futex: 1: the helper ends */
static int is_open, is_running, is_watching, with_native;
static int is_pausing;          /* the helper ends for a fork, and another begins behind it */
static pid_t helper_tid, process;
static int chosen;              /* the signal; 0: none */
static int is_forbidden;        /* the system does not let us send it */
static uint64_t random_state, next_period;
static uintptr_t interpreter;
static Recorder *recorder;      /* whose scopes the samples are under */
static const int candidates[] = {SIGURG, SIGWINCH}; /* ignored by default: one that meets another program is harmless */

static uint64_t next_random(void) {
    uint64_t x = random_state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return random_state = x;
}

static uint64_t read_clock(clockid_t clock, int *gone) {
    struct timespec t;
    *gone = clock_gettime(clock, &t) != 0;
    return *gone ? 0 : (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t thread_cpu(pid_t tid, int *gone) {
    return read_clock((clockid_t)((~(unsigned)tid) << 3 | 6), gone); /* CPUCLOCK_SCHED of one thread */
}

uint64_t own_cpu(void) {
    int gone;
    return read_clock(CLOCK_THREAD_CPUTIME_ID, &gone);
}

/* What the system says of a thread, with a zero behind it; the bytes read, or 0. */
static size_t read_task(pid_t tid, const char *what, char *text, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", tid, what);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? 0 : read(file, text, size - 1);
    if (file >= 0) close(file);
    if (got < 0) got = 0;
    text[got] = 0;
    return (size_t)got;
}

static Scratch *new_scratch(unsigned slot) {
    void *made = mmap(NULL, sizeof(Scratch), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) return NULL;
    ((Scratch *)made)->slot = slot;
    return made;
}

static void add(uint64_t *counter, uint64_t amount) { __atomic_add_fetch(counter, amount, __ATOMIC_RELAXED); }

/* Write a sample that stands for all ticks that are due up to one; without room it is kept due. */
static void write_sample(Sampled *thread, Scratch *scratch, Moment *moment, int in_place, uint64_t until) {
    if (thread->writer.segment == 0 && scratch != NULL && scratch->scope_count > 0 && scratch->scopes[0].start > status.start) {
        /* Its first sample, and it was there in all periods since it opened the outermost of its scopes. */
        uint64_t from = (scratch->scopes[0].start - status.start) / status.period + 1;
        if (from < thread->absent) from = thread->absent;
        if (from < thread->counted) thread->counted = from;
    }
    moment->ticks = (uint32_t)(until - thread->counted);
    if (scratch != NULL) {
        stack_merge(scratch);
        add(&status.incomplete, scratch->incomplete);
        if (scratch->native_cut) add(&status.cut, moment->ticks);
    }
    if (!writer_write(&thread->writer, scratch, moment, in_place)) {
        add(&status.no_room, 1);
        return;
    }
    thread->counted = until;
    add(&status.samples, moment->ticks);
    if (moment->state == STATE_UNKNOWN) add(&status.unknown, moment->ticks);
}

/* ---- in the thread --------------------------------------------------------------------------------------- */

static pthread_key_t end_key; /* its destructor runs as a thread ends that has been signalled, or that began to sample */
static int has_end_key;
#define NO_SLOT (MAX_THREADS + 1)

static void stop_helper(void);

/* The system lets go of a thread's list of robust locks as it ends. */
static int is_over(pid_t tid) {
    void *locks = &locks;
    size_t length;
    return syscall(SYS_get_robust_list, tid, &locks, &length) == 0 && locks == NULL;
}

/* Whether a process has no thread but this one and the helper. Its first thread is listed until all others have ended. */
static int is_last(pid_t tid) {
    struct stat facts;
    if (stat("/proc/self/task", &facts) != 0) return 0;
    return tid == process ? facts.st_nlink == 4 : facts.st_nlink <= 5 && is_over(process);
}

static void note_end(void *index) {
    pid_t tid = (pid_t)syscall(SYS_gettid);
    Sampled *thread = (uintptr_t)index == NO_SLOT ? NULL : threads[(uintptr_t)index - 1];
    if (thread != NULL && thread->tid == tid) __atomic_store_n(&thread->ended, system_ns(), __ATOMIC_RELEASE);
    if (process == getpid() && is_last(tid)) stop_helper(); /* the process ends with its last thread */
}

/* glibc keeps the values of its first keys in the thread itself: to set one allocates nothing and takes no lock. */
static void prepare_ends(void) {
    has_end_key = pthread_key_create(&end_key, note_end) == 0;
    if (has_end_key && end_key >= FIRST_KEYS) {
        pthread_key_delete(end_key);
        has_end_key = 0;
    }
}

static void take_registers(const ucontext_t *context, Registers *registers) {
    static const int order[REGISTERS] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
                                         REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
    for (int i = 0; i < REGISTERS; i++) registers->value[i] = (uint64_t)context->uc_mcontext.gregs[order[i]];
    registers->known = (1u << REGISTERS) - 1;
}

static void handle(Sampled *thread, const ucontext_t *context) {
    Moment moment = {system_ns(), own_cpu(), 0, STATE_NATIVE};
    Scratch *scratch = thread->scratch;
    PyThreadState *state = PyGILState_GetThisThreadState();
    Registers registers;
    scratch->is_own = 1;
    take_registers(context, &registers);
    if (registers.value[0] == (uint64_t)-EINTR) {
        uint8_t before[2] = {0, 0};
        memory_read(before, registers.value[RIP] - 2, 2, scratch->slot);
        if (before[0] == 0x0F && before[1] == 0x05) add(&status.interrupted, 1);
    }
    if (state != NULL && UNCHECKED_STATE() == state) moment.state = STATE_PYTHON;
    thread->state = (uintptr_t)state;
    thread->local = (uintptr_t)&local;
    stack_read_python(scratch, (uintptr_t)state, registers.value[RSP]);
    scratch->native_count = scratch->native_cut = 0;
    if (with_native) stack_read_native(scratch, &registers);
    stack_read_scopes(scratch, (uintptr_t)&local, (uintptr_t)state, __atomic_load_n(&recorder, __ATOMIC_ACQUIRE));
    write_sample(thread, scratch, &moment, 0, __atomic_load_n(&tick_count, __ATOMIC_ACQUIRE));
    add(&status.handler_ns, own_cpu() - moment.cpu);
}

/* A write to a pipe that a signal cuts short returns how much it wrote, and not every program writes the rest: text
   streams of `python -u` do not. So the handler writes it. The registers keep the arguments of the call, but not which
   one it was: what returns a part of the third argument, for a pipe that can only be written to, was a write. */
static void finish_write(ucontext_t *context) {
    greg_t *registers = context->uc_mcontext.gregs;
    uintptr_t next = (uintptr_t)registers[REG_RIP];
    greg_t done = registers[REG_RAX], wanted = registers[REG_RDX];
    struct stat facts;
    if (done <= 0 || done >= wanted || next % 4096 < 2 || memcmp((const void *)(next - 2), "\x0F\x05", 2) != 0) return;
    int flags = fcntl((int)registers[REG_RDI], F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) != O_WRONLY || fstat((int)registers[REG_RDI], &facts) != 0 || !S_ISFIFO(facts.st_mode)) return;
    while (done < wanted) {
        ssize_t more = write((int)registers[REG_RDI], (const char *)registers[REG_RSI] + done, (size_t)(wanted - done));
        if (more <= 0) break;
        done += more;
    }
    registers[REG_RAX] = done;
}

static void on_signal(int number, siginfo_t *info, void *context) {
    int error = errno, sent = SENT;
    unsigned index = (unsigned)info->si_value.sival_int;
    (void)number;
    /* The program's own signal is ignored, as by default. */
    Sampled *thread = info->si_code != SI_QUEUE || index >= MAX_THREADS ? NULL : __atomic_load_n(&threads[index], __ATOMIC_ACQUIRE);
    if (thread == NULL || thread->tid != (pid_t)syscall(SYS_gettid)) goto out;
    if (__atomic_compare_exchange_n(&thread->pending, &sent, BUSY, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        handle(thread, context);
        if (has_end_key && !thread->is_watched) thread->is_watched = pthread_setspecific(end_key, (void *)(uintptr_t)(index + 1)) == 0;
        __atomic_store_n(&thread->pending, IDLE, __ATOMIC_RELEASE);
    } else if (sent == TAKEN_BACK) {
        __atomic_store_n(&thread->pending, IDLE, __ATOMIC_RELEASE);
    }
out:
    finish_write(context);
    errno = error;
}

/* ---- the signal ------------------------------------------------------------------------------------------ */

static int is_ours(int number) {
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_signal;
}

static int take_signal(int number) {
    struct sigaction now, own = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    if (sigaction(number, NULL, &now) != 0 || (now.sa_flags & SA_SIGINFO) || now.sa_handler != SIG_DFL) return 0;
    sigemptyset(&own.sa_mask);
    return sigaction(number, &own, NULL) == 0;
}

static void choose_signal(void) {
    if (chosen && is_ours(chosen) && !is_forbidden) return;
    chosen = 0;
    for (size_t i = 0; !chosen && !is_forbidden && i < sizeof candidates / sizeof *candidates; i++)
        if (is_ours(candidates[i]) || take_signal(candidates[i])) chosen = candidates[i];
    __atomic_store_n(&status.signal, (uint64_t)chosen, __ATOMIC_RELAXED);
}

/* One that is still on its way is ignored, as by default. */
static void give_signals_back(void) {
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++)
        if (is_ours(candidates[i])) signal(candidates[i], SIG_DFL);
    chosen = 0;
}

/* Whether a thread blocks the signal. */
static int blocks_signal(pid_t tid) {
    char text[2048];
    read_task(tid, "status", text, sizeof text);
    const char *line = strstr(text, "SigBlk:");
    return line != NULL && chosen && (strtoull(line + 7, NULL, 16) >> (chosen - 1) & 1);
}

static int send_signal(Sampled *thread, unsigned index) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = chosen;
    info.si_code = SI_QUEUE;
    info.si_pid = process;
    info.si_value.sival_int = (int)index;
    if (thread->scratch == NULL && (thread->scratch = new_scratch(index)) == NULL) return 0;
    thread->unanswered = 0;
    thread->sent_number = chosen;
    __atomic_store_n(&thread->pending, SENT, __ATOMIC_RELEASE);
    if (syscall(SYS_rt_tgsigqueueinfo, process, thread->tid, chosen, &info) == 0) return 1;
    if (errno == EPERM || errno == ENOSYS) is_forbidden = 1; /* by a filter of system calls: frames are read from outside */
    __atomic_store_n(&thread->pending, IDLE, __ATOMIC_RELEASE);
    return 0;
}

/* ---- from outside ---------------------------------------------------------------------------------------- */

/* The system's word on a thread: a system call and where it was made. 0: it runs, -1: not known. */
static int read_syscall(pid_t tid, char *text, size_t size) {
    if (read_task(tid, "syscall", text, size) == 0) return -1;
    return strncmp(text, "running", 7) != 0;
}

/* For how long a thread has waited for a processor. */
static uint64_t waited_ns(pid_t tid) {
    char text[128];
    unsigned long long ran = 0, waited = 0;
    read_task(tid, "schedstat", text, sizeof text);
    return sscanf(text, "%llu %llu", &ran, &waited) == 2 ? waited : 0;
}

static int is_runnable(pid_t tid) {
    char text[512];
    read_task(tid, "stat", text, sizeof text);
    const char *behind = strrchr(text, ')');
    return behind != NULL && behind[1] && behind[2] == 'R';
}

static void learn_state(pid_t tid, uintptr_t state) {
    for (uint32_t i = 0; i < thread_count; i++) {
        int pending = __atomic_load_n(&threads[i]->pending, __ATOMIC_ACQUIRE);
        if (threads[i]->tid == tid && (pending == IDLE || pending == TAKEN_BACK)) threads[i]->state = state;
    }
}

/* Find the thread states of all threads, once a tick at most. */
static void learn_states(void) {
    static uint64_t learnt;
    if (learnt == next_period) return;
    learnt = next_period;
    stack_list_states(interpreter, learn_state);
}

/* Read a thread's frames without its help. 1: done, 0: it moved meanwhile, -1: it runs. */
static int sample_outside(Sampled *thread, uint64_t cpu, int even_running) {
    char text[256], again[256];
    unsigned long long number = 0, first = 0, sp = 0, pc = 0, skip;
    Scratch *scratch = helper_scratch;
    Moment moment = {system_ns(), cpu, 0, STATE_WAITS};
    Registers registers = {.known = 0};
    int gone, sleeps = read_syscall(thread->tid, text, sizeof text);
    if (sleeps < 0) sleeps = !is_runnable(thread->tid), text[0] = 0;
    if (!sleeps && !even_running) return -1;
    if (sleeps && text[0] && sscanf(text, "%llu %llx %llx %llx %llx %llx %llx %llx %llx", &number, &first, &skip, &skip, &skip,
                                    &skip, &skip, &sp, &pc) == 9) {
        registers.value[RSP] = sp;
        registers.value[RIP] = pc;
        registers.known = 1u << RSP | 1u << RIP;
        /* In the middle of vfork and clone the stack may be the child's. */
        if (number == SYS_vfork || number == SYS_clone || number == 435) registers.known = 0;
    }
    if (!stack_is_state_of(thread->state, thread->tid)) {
        thread->state = 0;
        learn_states();
    }
    if (thread->local == 0 && thread->state != 0) thread->local = find_local(thread->tid);
    stack_read_python(scratch, thread->state, registers.known ? sp : 0);
    scratch->native_count = scratch->native_cut = 0;
    if (with_native && registers.known) {
        stack_read_native(scratch, &registers);
    } else if (with_native) {
        scratch->native_cut = 1;
    }
    stack_read_scopes(scratch, thread->local, thread->state, recorder);
    if (number == SYS_futex && thread->state && stack_waits_for_gil(thread->state, first)) moment.state = STATE_WAITS_FOR_LOCK;
    if (!sleeps) moment.state = STATE_BLOCKED;
    if (sleeps) {
        uint64_t now = thread_cpu(thread->tid, &gone);
        if (gone || now != cpu) return 0;
        if (text[0] && (read_syscall(thread->tid, again, sizeof again) != 1 || strcmp(text, again) != 0)) return 0;
    }
    write_sample(thread, scratch, &moment, sleeps, tick_count);
    thread->cut_at = scratch->native_cut ? modules_generation : 0;
    thread->cpu = cpu;
    thread->waited = waited_ns(thread->tid);
    return 1;
}

static void sample_unknown(Sampled *thread, uint64_t cpu, uint64_t until) {
    Moment moment = {system_ns(), cpu, 0, STATE_UNKNOWN};
    write_sample(thread, NULL, &moment, 0, until);
}

/* ---- one tick -------------------------------------------------------------------------------------------- */

/* Count ticks on for a thread that sleeps, up to one of them: its stack is what it was. */
static void count_asleep(Sampled *thread, uint64_t until) {
    if (until <= thread->counted) return;
    uint64_t ticks = until - thread->counted;
    __atomic_store_n(thread->writer.ticks, *thread->writer.ticks + (uint32_t)ticks, __ATOMIC_RELAXED);
    thread->counted = until;
    add(&status.samples, ticks);
}

/* Ticks that no sample stands for yet, when a thread or sampling ends. */
static void settle(Sampled *thread, uint64_t until) {
    if (writer_ticks(&thread->writer) != NULL) count_asleep(thread, until);
    else if (thread->counted < until && writer_provide(&thread->writer)) sample_unknown(thread, thread->writer.cpu, until);
}

/* A thread that this tick has not met lived until the one before, and longer where its end was noted. */
static void end_thread(unsigned index) {
    uint64_t ended = __atomic_load_n(&threads[index]->ended, __ATOMIC_ACQUIRE);
    uint64_t until = ended > status.start ? (ended - status.start) / status.period : 0;
    settle(threads[index], until < last_count ? last_count : until < tick_count ? until : tick_count);
    asleep[index] = 0;
    has_ended = 1;
    __atomic_store_n(&threads[index]->tid, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&threads[index]->pending, IDLE, __ATOMIC_RELEASE);
}

static void tick_thread(Sampled *thread, unsigned index) {
    int gone, pending = __atomic_load_n(&thread->pending, __ATOMIC_ACQUIRE);
    uint64_t cpu = thread_cpu(thread->tid, &gone);
    thread->is_new = 0;
    if (gone) {
        end_thread(index);
        return;
    }
    if (pending == SENT && ++thread->unanswered == PATIENCE_TICKS) choose_signal();
    if ((pending == SENT || pending == TAKEN_BACK) && thread->sent_number != chosen) {
        /* The program has taken that signal: it was delivered to it, or will be. */
        if (__atomic_compare_exchange_n(&thread->pending, &pending, IDLE, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) pending = IDLE;
    }
    if (pending == SENT || pending == TAKEN_BACK) {
        if (pending == SENT) {
            int sent = SENT;
            if (thread->unanswered < PATIENCE_TICKS || !blocks_signal(thread->tid)) return;
            if (!__atomic_compare_exchange_n(&thread->pending, &sent, TAKEN_BACK, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return;
            pending = TAKEN_BACK;
        }
    } else if (pending == BUSY) {
        return;
    }
    if (thread->counted >= tick_count) return; /* its handler was late, and has this tick already */
    if (writer_ticks(&thread->writer) != NULL && (!thread->cut_at || thread->cut_at == modules_generation)) {
        if (thread->cpu == cpu) {
            count_asleep(thread, tick_count);
            return;
        }
        /* It has run since it was looked at, or waited for a processor, for as long as its clocks say. In the other ticks
           it slept. */
        uint64_t ran = (cpu - thread->cpu + waited_ns(thread->tid) - thread->waited + status.period - 1) / status.period;
        count_asleep(thread, tick_count - (ran < tick_count ? ran : tick_count));
    }
    if (!writer_provide(&thread->writer)) return;
    int is_blocked = pending == TAKEN_BACK || !chosen || is_forbidden;
    /* Its clock moves on: it is on a processor at this moment. Else it sleeps or waits for one, which the system knows. */
    int result = !is_blocked && thread_cpu(thread->tid, &gone) != cpu ? -1 : sample_outside(thread, cpu, is_blocked);
    if (result == 0) { /* it ran for a moment: once more */
        cpu = thread_cpu(thread->tid, &gone);
        if (gone) return;
        result = sample_outside(thread, cpu, is_blocked);
    }
    asleep[index] = result == 1 && thread->writer.ticks != NULL;
    if (result == 1) return;
    if (!is_blocked && send_signal(thread, index)) {
        add(&status.signals, 1);
        return;
    }
    if (is_blocked) sample_unknown(thread, cpu, tick_count);
}

static Sampled *new_thread(pid_t tid) {
    Sampled *thread = NULL;
    for (uint32_t i = 0; thread == NULL && i < thread_count; i++)
        if (threads[i]->tid == 0) thread = threads[i];
    if (thread == NULL) {
        if (thread_count == MAX_THREADS) return NULL;
        thread = calloc(1, sizeof *thread);
        if (thread == NULL) return NULL;
        size_t nodes = NODE_SLOTS * sizeof(NodeSlot), codes = CODE_SLOTS * sizeof(CodeSlot);
        char *tables = mmap(NULL, nodes + codes + MAX_LAST * sizeof(LastItem), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (tables == MAP_FAILED) {
            free(thread);
            return NULL;
        }
        thread->writer.node_slots = (NodeSlot *)(void *)tables;
        thread->writer.code_slots = (CodeSlot *)(void *)(tables + nodes);
        thread->writer.last = (LastItem *)(void *)(tables + nodes + codes);
        __atomic_store_n(&threads[thread_count], thread, __ATOMIC_RELEASE);
        thread_count++;
    }
    Writer *writer = &thread->writer;
    *writer = (Writer){.number = ++thread_numbers, .tid = tid, .epoch = writer->epoch, .node_slots = writer->node_slots,
                       .code_slots = writer->code_slots, .last = writer->last};
    char name[32];
    read_task(tid, "comm", name, sizeof name);
    name[strcspn(name, "\n")] = 0;
    memcpy(writer->name, name, strnlen(name, sizeof writer->name)); /* the rest is 0 */
    thread->state = thread->local = 0;
    thread->is_new = 1;
    thread->is_watched = 0;
    thread->ended = 0;
    thread->absent = listed == 0 ? tick_count - 1 : complete;
    thread->counted = tick_count - 1;
    thread->unanswered = 0;
    thread->cpu = 0;
    __atomic_store_n(&thread->pending, IDLE, __ATOMIC_RELEASE);
    __atomic_store_n(&thread->tid, tid, __ATOMIC_RELEASE);
    return thread;
}

/* Ticks before this one in which a thread was there: it is at least as old as it has run and waited for a processor, and
   as the system's coarse time of its start says, and was not there when all threads were known last. */
static uint32_t ticks_before(pid_t tid) {
    char text[512];
    unsigned long long begun = ULLONG_MAX;
    int gone;
    uint64_t age = thread_cpu(tid, &gone) + waited_ns(tid), now = read_clock(CLOCK_BOOTTIME, &gone), most = tick_count - 1 - complete;
    read_task(tid, "stat", text, sizeof text);
    const char *behind = strrchr(text, ')');
    if (behind != NULL) sscanf(behind, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &begun);
    if (begun < now / STAT_NS && now - (begun + 1) * STAT_NS > age) age = now - (begun + 1) * STAT_NS;
    return listed == 0 ? 0 : (uint32_t)(age / status.period < most ? age / status.period : most);
}

static unsigned long links; /* of the folder of threads as it was listed; 0: threads came or went meanwhile */
static unsigned long links_of_tasks(void);

static void list_threads(void) {
    char bytes[4096];
    unsigned long entries = 0;
    int folder = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    listing++;
    for (;;) {
        long got = syscall(SYS_getdents64, folder, bytes, sizeof bytes);
        if (got <= 0) break;
        for (long at = 0; at < got;) {
            const char *entry = bytes + at;
            uint16_t length;
            memcpy(&length, entry + 16, 2);
            at += length;
            pid_t tid = (pid_t)strtol(entry + 19, NULL, 10);
            if (tid <= 0) continue;
            entries++;
            if (tid == helper_tid) continue;
            Sampled *thread = NULL;
            for (uint32_t i = 0; thread == NULL && i < thread_count; i++)
                if (threads[i]->tid == tid) thread = threads[i];
            if (thread == NULL && (thread = new_thread(tid)) != NULL) thread->counted -= ticks_before(tid);
            if (thread != NULL) thread->mark = listing;
        }
    }
    close(folder);
    for (uint32_t i = 0; i < thread_count; i++)
        if (threads[i]->tid != 0 && threads[i]->mark != listing) end_thread(i);
    listed = tick_count;
    has_ended = 0;
    links = links_of_tasks();
    if (links != entries + 2) links = 0; /* it is listed again at the next tick */
    if (links) complete = tick_count;
}

/* The list of threads, kept open: to find it by its path takes longer than all the rest of a tick. */
static KeptFile tasks = KEPT_NOTHING;

/* Grows and shrinks with the number of threads. */
static unsigned long links_of_tasks(void) {
    struct stat facts;
    return kept_open(&tasks, "/proc/self/task", O_DIRECTORY, &facts) < 0 ? 0 : (unsigned long)facts.st_nlink;
}

uint64_t threads_now(void) {
    unsigned long now = links_of_tasks();
    return now > 3 ? now - 3 : 0; /* two links are the folder's own, and one thread is the helper */
}

static void close_files(void) {
    kept_close(&tasks);
    resources_forget();
}

static int no_handler_runs(void) {
    for (uint32_t i = 0; i < thread_count; i++) {
        int pending = __atomic_load_n(&threads[i]->pending, __ATOMIC_ACQUIRE);
        if (pending == SENT || pending == BUSY) return 0;
    }
    return 1;
}

static void look_at_modules(void) {
    if (!with_native) return;
    pthread_mutex_lock(&forking);
    modules_refresh();
    pthread_mutex_unlock(&forking);
    if (no_handler_runs()) modules_release();
    log_modules(modules_now);
}

static uint64_t spent; /* processor time of helpers before this one */

static void tick(uint32_t ticks) {
    static uint32_t turn;
    uint64_t now = system_ns();
    int is_unchanged = links != 0 && links_of_tasks() == links;
    last_count = tick_count;
    __atomic_store_n(&tick_count, tick_count + ticks, __ATOMIC_RELEASE);
    if (!is_unchanged || tick_count - listed >= RELIST_TICKS) list_threads();
    int is_check = tick_count / CHECK_TICKS != (tick_count - ticks) / CHECK_TICKS;
    if (is_check) choose_signal();
    if (tick_count / MODULE_TICKS != (tick_count - ticks) / MODULE_TICKS || __atomic_exchange_n(&modules_missed, 0, __ATOMIC_RELAXED))
        look_at_modules();
    else
        log_modules(modules_now); /* in a segment that is new */
    uint32_t sleepers = 0, turns;
    for (uint32_t i = 0; i < thread_count; i++) sleepers += asleep[i];
    turns = (sleepers + MAX_ASLEEP - 1) / MAX_ASLEEP;
    turn = turns > 1 ? (turn + 1) % turns : 0;
    for (uint32_t i = 0; i < thread_count; i++)
        if ((!asleep[i] || turns < 2 || i % turns == turn) && threads[i]->tid != 0) tick_thread(threads[i], i);
    if (has_ended) { /* the number of threads does not say whether one has begun, too */
        list_threads();
        for (uint32_t i = 0; i < thread_count; i++)
            if (threads[i]->tid != 0 && threads[i]->is_new) tick_thread(threads[i], i);
    }
    if (turns < 2 && links) complete = tick_count;
    status.ticks = tick_count;
    status.last_tick = now;
    resources_tick(now);
    if (is_check) status.helper_ns = spent + own_cpu();
    log_status();
}

static void wait_until(uint64_t deadline) {
    struct timespec at = {(time_t)(deadline / 1000000000u), (long)(deadline % 1000000000u)};
    syscall(SYS_futex, &stop_word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, &at, NULL, FUTEX_BITSET_MATCH_ANY);
}

/* The helper runs for microseconds at a time: a system that shares a processor out in slices of a stated length lets
   it run the sooner. Its part of the processor stays the same. Linux before 6.12 ignores the length. */
static void ask_for_short_slices(void) {
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {.size = 48};
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0 || attributes.policy != 0) return;
    attributes.runtime = SLICE_NS;
    syscall(SYS_sched_setattr, 0, &attributes, 0);
}

/* From Linux 5.9 on the helper has descriptors of its own, and none of the program's: neither sees the other's files. */
static void take_own_descriptors(void) {
    if (!memory_needs_file()) syscall(SYS_CLOSE_RANGE, 0u, ~0u, 2u /* CLOSE_RANGE_UNSHARE */);
}

static void *run_helper(void *unused) {
    (void)unused;
    helper_tid = (pid_t)syscall(SYS_gettid);
    take_own_descriptors();
    prctl(PR_SET_NAME, "workbench");
    prctl(PR_SET_TIMERSLACK, 1000);
    ask_for_short_slices();
    resources_edge(system_ns(), 0, 0);
    while (!__atomic_load_n(&stop_word, __ATOMIC_ACQUIRE) && !log_error()) {
        uint64_t now = system_ns(), index = (now - status.start) / status.period;
        if (index < next_period) index = next_period;
        uint64_t deadline = status.start + index * status.period + next_random() % status.period;
        while ((now = system_ns()) < deadline && !__atomic_load_n(&stop_word, __ATOMIC_ACQUIRE)) wait_until(deadline);
        if (__atomic_load_n(&stop_word, __ATOMIC_ACQUIRE)) break;
        uint64_t late = (now - status.start) / status.period; /* periods may have passed by */
        if (late > index) index = late;
        uint32_t ticks = (uint32_t)(index + 1 - next_period);
        next_period = index + 1;
        tick(ticks);
        if (links == 4 && is_over(process)) break; /* the last thread ended unseen: the process ends with the helper */
    }
    log_modules(modules_now);
    if (!log_error()) resources_edge(system_ns(), 1, !is_pausing);
    spent += own_cpu();
    return NULL;
}

/* ---- begin and end --------------------------------------------------------------------------------------- */

static int start_helper(void) {
    sigset_t all, before;
    pthread_attr_t attributes;
    stop_word = 0;
    process = getpid();
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, HELPER_STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the program's signals are for its own threads */
    int error = pthread_create(&helper, &attributes, run_helper, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    is_running = error == 0;
    return error;
}

static void stop_helper(void) {
    if (!__atomic_exchange_n(&is_running, 0, __ATOMIC_ACQ_REL)) return; /* or another thread does */
    __atomic_store_n(&stop_word, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &stop_word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 0);
    pthread_join(helper, NULL);
    /* The system counts a thread for a moment longer, and os.fork warns by that count. */
    for (int i = 0; i < 2000 && syscall(SYS_tgkill, process, helper_tid, 0) == 0; i++) usleep(20);
}

static void before_fork(void) { pthread_mutex_lock(&forking); }
static void after_fork(void) { pthread_mutex_unlock(&forking); }

/* A child has no helper, and its parent's log is not its own. */
static void after_fork_in_child(void) {
    pthread_mutex_unlock(&forking);
    is_running = is_open = 0;
    close_files(); /* they are of the parent */
    memory_forget();
    for (uint32_t i = 0; i < thread_count; i++) {
        threads[i]->tid = 0;
        threads[i]->pending = IDLE;
    }
}

static const char *why_not = "it has not been prepared";

static PyObject *sampler_why_not(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    if (why_not != NULL) return PyUnicode_FromString(why_not);
    Py_RETURN_NONE;
}

static PyObject *sampler_start(PyObject *module, PyObject *args) {
    const char *path;
    Py_buffer first;
    unsigned long long period, limit;
    int native, newest;
    PyObject *own;
    (void)module;
    if (!PyArg_ParseTuple(args, "sy*KpKpO", &path, &first, &period, &native, &limit, &newest, &own)) return NULL;
    int error = is_open ? EBUSY : why_not != NULL ? ENOTSUP : period < 100000 ? EINVAL : log_open(path, first.buf, (size_t)first.len, limit, newest);
    PyBuffer_Release(&first);
    if (!error && !is_watching) {
        if (stack_watch_codes() < 0) return NULL;
        is_watching = 1;
    }
    if (!error && helper_scratch == NULL && (helper_scratch = new_scratch(HELPER_SLOT)) == NULL) error = ENOMEM;
    if (!error) {
        memset(&status, 0, sizeof status);
        with_native = native;
        status.period = period;
        status.start = system_ns();
        status.native = (uint64_t)native;
        random_state = (status.start ^ (uint64_t)getpid() * 0x9E3779B97F4A7C15u) | 1;
        next_period = spent = tick_count = last_count = listed = complete = links = 0;
        memset(asleep, 0, sizeof asleep);
        resources_begin();
        thread_numbers = 0;
        interpreter = (uintptr_t)PyInterpreterState_Main();
        recorder = (Recorder *)own;
        for (uint32_t i = 0; i < thread_count; i++) threads[i]->tid = 0;
        choose_signal();
        error = start_helper();
        is_open = !error;
        if (has_end_key) pthread_setspecific(end_key, (void *)(uintptr_t)NO_SLOT);
    }
    if (error) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

static PyObject *sampler_pause(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    is_pausing = 1;
    stop_helper();
    is_pausing = 0;
    Py_RETURN_NONE;
}

#define MAX_DELAYS 1000
static const void *forked_in; /* the frame that called os.fork */
static int delays;

/* As a pending call: hooks of others may run Python code, and with it pending calls, before os.fork returns. */
static int resume_now(void *unused) {
    (void)unused;
    if (CURRENT_FRAME(PyThreadState_Get()) != forked_in && delays++ < MAX_DELAYS && Py_AddPendingCall(resume_now, NULL) == 0) return 0;
    if (is_open && !is_running && !log_error()) start_helper();
    return 0;
}

/* From 3.12 on os.fork warns, once the hooks have run, where there is a second thread: one that was there before is the
   program's own, but ours must not be seen until it has returned. */
static PyObject *sampler_resume(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    forked_in = CURRENT_FRAME(PyThreadState_Get());
    delays = 0;
    if (!is_open || is_running || log_error()) Py_RETURN_NONE;
    struct stat facts;
    int are_others = stat("/proc/self/task", &facts) == 0 && facts.st_nlink > 3;
    if (are_others || PY_VERSION_HEX < 0x030C0000 || Py_AddPendingCall(resume_now, NULL) < 0) start_helper();
    Py_RETURN_NONE;
}

static PyObject *sampler_stop(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    if (!is_open) Py_RETURN_NONE;
    stop_helper();
    for (uint32_t i = 0; i < thread_count; i++) { /* no handler may write when the log is let go */
        int sent = SENT;
        __atomic_compare_exchange_n(&threads[i]->pending, &sent, TAKEN_BACK, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
        for (int k = 0; k < 1000 && __atomic_load_n(&threads[i]->pending, __ATOMIC_ACQUIRE) == BUSY; k++) usleep(100);
        if (threads[i]->tid != 0) settle(threads[i], tick_count);
    }
    int error = log_error();
    give_signals_back();
    close_files();
    status.helper_ns = spent;
    status.end = system_ns();
    log_status();
    log_close(error == EFBIG ? 1 : error ? 2 : 0);
    is_open = 0;
    return PyLong_FromLong(error);
}

static PyObject *sampler_readings(PyObject *module, PyObject *is_on) {
    (void)module;
    resources_switch(PyObject_IsTrue(is_on));
    Py_RETURN_NONE;
}

PyMethodDef sampler_methods[] = {
    {"sampler_why_not", sampler_why_not, METH_NOARGS, "Why the sampler cannot run here, or None."},
    {"sampler_readings", sampler_readings, METH_O, "Whether to read what the system counts; for benchmarks."},
    {"sampler_start", sampler_start, METH_VARARGS, "Begin to sample all threads of this process."},
    {"sampler_pause", sampler_pause, METH_NOARGS, "End the helper thread, as before a fork."},
    {"sampler_resume", sampler_resume, METH_NOARGS, "Go on after a pause."},
    {"sampler_stop", sampler_stop, METH_NOARGS, "End sampling; returns the error number of what ended it before, or 0."},
    {NULL, NULL, 0, NULL},
};

int sampler_prepare(PyObject *module) {
    static int once = 0;
    (void)module;
    if (once) return 0;
    once = 1;
    if (!stack_check_layout()) why_not = "this Python's own structures are laid out in a way that is not known";
    else if (!memory_prepare()) why_not = "the system denies every way to read memory safely";
    else if (pthread_atfork(before_fork, after_fork, after_fork_in_child) != 0) why_not = "there is no memory";
    else why_not = NULL;
    prepare_ends();
    return 0;
}

#else

static PyObject *sampler_why_not(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return PyUnicode_FromString("it knows CPython 3.11 to 3.15 on Linux, x86-64");
}

PyMethodDef sampler_methods[] = {
    {"sampler_why_not", sampler_why_not, METH_NOARGS, "Why the sampler cannot run here, or None."},
    {NULL, NULL, 0, NULL},
};

int sampler_prepare(PyObject *module) {
    (void)module;
    return 0;
}
#endif
