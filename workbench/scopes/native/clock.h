/* The same clock for a third of the price: between two readings of it, a millisecond apart, the processor's
   counter tells how much time has passed.

   Used where the kernel itself keeps CLOCK_MONOTONIC by that counter (clocksource "tsc"), which it does only where
   the counter runs at one rate, never stops and is the same on all processors. Elsewhere the clock is read each time.

   What this adds to a time is at most the drift within a millisecond (the kernel's rate may be slewed by 500 ppm:
   0.5 us) and half of what one reading takes (0.1 us). Time never runs backwards on a thread. A reading that was
   interrupted is thrown away; a counter that was set (suspend, a virtual machine that moved) gives a distance that
   is too large and so a new reading; a rate that turns out wrong switches all this off.

   Each thread has its own anchor, so there is nothing to lock. */

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#define HAVE_TICKS 1

#define ANCHOR_NS 1000000u         /* a reading serves so long */
#define BASELINE_NS 2000000u       /* a rate wants so much time between two readings */
#define GOOD_BASELINE_NS 100000000u /* and is left alone after so much */
#define MAX_TICKS_OF_A_READING 4000u
#define MAX_ERROR_NS 20000

typedef struct {
    uint64_t ticks, ns; /* one instant on both */
    uint64_t reach;     /* it serves for so many ticks; 0: there is none */
    uint64_t rate;      /* nanoseconds a tick, times 2**32; the thread's own, lest it change between two readings */
    uint64_t floor;     /* nothing earlier is returned */
} Anchor;

static inline uint64_t read_ticks(void) { return __builtin_ia32_rdtsc(); }

static inline uint64_t ticks_to_ns(uint64_t ticks, uint64_t rate) {
    return (uint64_t)(((unsigned __int128)ticks * rate) >> 32);
}

uint64_t anchored_ns(Anchor *anchor); /* read the clock itself, and anchor the ticks of a thread to it */

/* Nanoseconds on the clock of time.perf_counter_ns(). */
static inline uint64_t anchor_now_ns(Anchor *anchor) {
    uint64_t since = read_ticks() - anchor->ticks;
    if (since >= anchor->reach) return anchored_ns(anchor);
    uint64_t ns = anchor->ns + ticks_to_ns(since, anchor->rate);
    return ns > anchor->floor ? ns : anchor->floor;
}

#else /* the clock is cheap to read, or there is nothing better */
#define HAVE_TICKS 0
typedef struct {
    char unused;
} Anchor;
static inline uint64_t anchor_now_ns(Anchor *anchor) {
    (void)anchor;
    return system_ns();
}
#endif

void prepare_ticks(void);          /* begin to compare the two clocks */
void renew_clock(Anchor *anchor); /* in a forked child */
