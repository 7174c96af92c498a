/* Record the stack that a signal interrupts, with what libgcc's unwinder says of it. */

#define _GNU_SOURCE
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

#define MAX_BYTES (1 << 20)
#define MAX_ADDRESSES 256

uint64_t registers[17], stack_low, stack_size;
uint8_t stack_bytes[MAX_BYTES];
void *addresses[MAX_ADDRESSES];
int address_count;
volatile int is_wanted = 0;
static uint64_t stack_end;

static void on_signal(int number, siginfo_t *info, void *context) {
    static const int order[17] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
                                  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
    (void)number;
    (void)info;
    if (!is_wanted) return;
    const greg_t *from = ((const ucontext_t *)context)->uc_mcontext.gregs;
    for (int i = 0; i < 17; i++) registers[i] = (uint64_t)from[order[i]];
    stack_low = registers[7] & ~(uint64_t)7;
    stack_size = stack_end - stack_low;
    if (stack_size > MAX_BYTES) return;
    memcpy(stack_bytes, (const void *)stack_low, stack_size);
    address_count = backtrace(addresses, MAX_ADDRESSES);
    is_wanted = 0;
}

/* Record this thread, at a moment of every millisecond of CPU time at which a stack is wanted. */
int begin(void) {
    pthread_attr_t attributes;
    void *low, *first[1];
    size_t size;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return 0;
    pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
    stack_end = (uint64_t)low + size;
    backtrace(first, 1); /* it loads libgcc now */
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGPROF, &action, NULL);
    struct itimerval every = {{0, 997}, {0, 997}};
    return setitimer(ITIMER_PROF, &every, NULL) == 0;
}

/* ---- what is recorded beside Python and NumPy ------------------------------------------------------------- */

static volatile unsigned sink;
int small(int);

__attribute__((noinline)) int small(int value) { return value * 3 + 1; }

/* Calls through the procedure linkage table for about so many thousand times. */
int call_small(int thousands) {
    int value = 0;
    for (int i = 0; i < thousands * 1000 && is_wanted; i++) value = small(value);
    return value;
}

__attribute__((noinline)) static void spin(int thousands) {
    for (int i = 0; i < thousands * 1000 && is_wanted; i++) sink += (unsigned)i;
}

static void in_handler(int number) {
    (void)number;
    spin(1 << 20);
}

/* Works in a handler: the stack has a signal's frame in it. */
void work_in_handler(void) {
    struct sigaction action = {.sa_handler = in_handler};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
}

/* A frame of a size that is known when it runs, aligned by more than the stack is. */
__attribute__((noinline)) void work_aligned(int size) {
    _Alignas(64) volatile char aligned[128];
    volatile char of_any_size[size];
    aligned[0] = of_any_size[size - 1] = 1;
    spin(1 << 20);
    sink += (unsigned)aligned[0];
}
