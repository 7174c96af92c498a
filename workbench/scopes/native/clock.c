/* The slow paths of clock.h: readings of both clocks, and the rate between them. */

#include "recorder.h"

#if HAVE_TICKS
#include <stdio.h>
#include <sys/prctl.h>

static struct {
    uint64_t ticks, ns; /* one instant on both, when the module was loaded; ticks are 0 where they are not used */
    uint64_t rate;      /* as above; 0: not known yet */
    uint64_t baseline;  /* nanoseconds that it was taken over */
} ticks_clock;

/* Both clocks at one instant; 0 where that did not succeed because other things came between, again and again. */
static int read_both(uint64_t *ticks, uint64_t *ns) {
    for (int attempt = 0; attempt < 4; attempt++) {
        uint64_t before = read_ticks(), now = system_ns(), after = read_ticks();
        *ns = now;
        *ticks = before + (after - before) / 2;
        if (after - before < MAX_TICKS_OF_A_READING) return 1;
    }
    return 0;
}

/* Take the rate over the time since the module was loaded. Several threads may do so at once: all are right. */
static void take_rate(uint64_t ticks, uint64_t ns) {
    uint64_t from = __atomic_load_n(&ticks_clock.ticks, __ATOMIC_RELAXED), baseline = ns - ticks_clock.ns;
    if (from == 0 || ticks <= from || ns <= ticks_clock.ns || baseline < BASELINE_NS) return;
    uint64_t had = __atomic_load_n(&ticks_clock.baseline, __ATOMIC_RELAXED);
    if (had >= GOOD_BASELINE_NS || baseline < 4 * had) return;
    uint64_t rate = (uint64_t)(((unsigned __int128)baseline << 32) / (ticks - from));
    if (rate == 0 || rate >> 42) return; /* a tick of over a microsecond is none */
    __atomic_store_n(&ticks_clock.baseline, baseline, __ATOMIC_RELAXED);
    __atomic_store_n(&ticks_clock.rate, rate, __ATOMIC_RELEASE);
}

/* Read the clock itself, and anchor the thread's ticks to it. */
uint64_t anchored_ns(Anchor *anchor) {
    uint64_t ticks = 0, ns = 0, since, told;
    if (__atomic_load_n(&ticks_clock.ticks, __ATOMIC_RELAXED) == 0 || !read_both(&ticks, &ns)) {
        ns = system_ns();
        anchor->reach = 0;
    } else if (anchor->reach) {
        since = ticks - anchor->ticks;
        told = anchor->ns + ticks_to_ns(since < anchor->reach ? since : anchor->reach, anchor->rate);
        if ((int64_t)since > 0 && told > anchor->floor) anchor->floor = told; /* nothing later was returned */
        int64_t error = (int64_t)(anchor->ns + ticks_to_ns(since, anchor->rate) - ns);
        if (since < 10 * anchor->reach && (error > MAX_ERROR_NS || error < -MAX_ERROR_NS)) {
            __atomic_store_n(&ticks_clock.ticks, 0, __ATOMIC_RELAXED); /* this counter does not tell the time */
            anchor->reach = 0;
            ticks = 0;
        }
    }
    if (ticks) {
        take_rate(ticks, ns);
        anchor->rate = __atomic_load_n(&ticks_clock.rate, __ATOMIC_ACQUIRE);
        anchor->reach = anchor->rate ? ((uint64_t)ANCHOR_NS << 32) / anchor->rate : 0;
        anchor->ticks = ticks;
        anchor->ns = ns;
    }
    return anchor->floor = ns > anchor->floor ? ns : anchor->floor;
}

/* Begin anew in a forked child: its time namespace, and so its clock, may be another. The rate is the same. */
void renew_clock(Anchor *anchor) {
    uint64_t ticks, ns;
    *anchor = (Anchor){0};
    if (ticks_clock.ticks == 0) return;
    int known = read_both(&ticks, &ns);
    ticks_clock.ns = known ? ns : 0;
    __atomic_store_n(&ticks_clock.ticks, known ? ticks : 0, __ATOMIC_RELEASE);
}

/* Begin to compare the two, where the kernel vouches for the counter and the process may read it. */
void prepare_ticks(void) {
    char source[16] = "";
    int mode = 0;
    FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    if (file != NULL) {
        if (fgets(source, sizeof source, file) == NULL) source[0] = 0;
        fclose(file);
    }
    if (strcmp(source, "tsc\n") != 0 || prctl(PR_GET_TSC, &mode) != 0 || mode != PR_TSC_ENABLE) return;
    uint64_t ticks, ns;
    if (ticks_clock.ticks == 0 && read_both(&ticks, &ns)) {
        ticks_clock.ns = ns;
        __atomic_store_n(&ticks_clock.ticks, ticks, __ATOMIC_RELEASE);
    }
}
#else
void prepare_ticks(void) {}
void renew_clock(Anchor *anchor) { (void)anchor; }
#endif
