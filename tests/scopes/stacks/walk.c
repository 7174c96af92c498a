/* The unwinder on a recorded stack: memory is what was recorded, and nothing else can be read. */

#include "sampler.h"

#define MAX_MODULES 64

uint64_t modules_generation = 0;
int modules_missed = 0;

static Module modules[MAX_MODULES];
static struct {
    size_t count;
    Module *modules[MAX_MODULES];
} listed;
static const uint8_t *memory;
static uintptr_t memory_low;
static size_t memory_size;

size_t memory_read(void *to, uintptr_t from, size_t size, unsigned slot) {
    (void)slot;
    if (from < memory_low || from - memory_low >= memory_size) return 0;
    size_t there = memory_size - (from - memory_low);
    if (there < size) size = there;
    memcpy(to, memory + (from - memory_low), size);
    return size;
}

__attribute__((visibility("default"))) void forget_modules(void) {
    listed.count = 0;
    modules_generation++;
}

/* Modules come in the order of their addresses. */
__attribute__((visibility("default"))) int add_module(uint64_t start, uint64_t end, uint64_t eh_address, const uint8_t *eh,
                                                      uint64_t eh_size, uint64_t header_address, const int32_t *table,
                                                      uint64_t count) {
    if (listed.count == MAX_MODULES) return 0;
    Module *module = &modules[listed.count];
    *module = (Module){.start = start, .end = end, .id = (uint32_t)listed.count + 1};
    module->eh = eh;
    module->eh_size = eh_size;
    module->eh_address = eh_address;
    module->header_address = header_address;
    module->table = table;
    module->count = count;
    listed.modules[listed.count++] = module;
    return 1;
}

/* Write the return addresses to `found`; return how many there are, as a negative number where the walk was lost. */
__attribute__((visibility("default"))) long walk(const uint64_t *values, const uint8_t *stack, uint64_t low, uint64_t size,
                                                 uint64_t *found, long most) {
    static uint8_t bytes[STACK_WINDOW];
    static Unwinder unwinder;
    Registers registers;
    NativeFrame frame;
    memory = stack;
    memory_low = low;
    memory_size = size;
    memcpy(registers.value, values, sizeof registers.value);
    registers.known = (1u << REGISTERS) - 1;
    unwinder.modules = (const Modules *)(const void *)&listed;
    unwinder.stack = (Window){.bytes = bytes, .capacity = sizeof bytes};
    int result = UNWIND_OK + 1; /* the first address is exact */
    for (long count = 0; count < most; count++) {
        result = unwind_step(&unwinder, &registers, result > UNWIND_OK, &frame);
        if (result == UNWIND_END) return count;
        if (result == UNWIND_LOST) return -count - 1;
        found[count] = registers.value[RIP];
    }
    return most;
}
