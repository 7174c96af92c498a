/* Native frames, by the call frame information of each module (.eh_frame; DWARF 5, section 6.4, and the Linux Standard
   Base, "Exception Frames"). Works on copies of the tables and reads the stack through memory_read, so that damaged
   tables and vanished modules give an early end and never a fault. Used in signal handlers: no locks, no allocation. */

#include "sampler.h"

#if HAVE_SAMPLER

#define NOT_SAVED INT16_MIN
#define MAX_FRAME_BYTES (8u << 20) /* no frame is larger */
#define MAX_REMEMBERED 8
#define MAX_STEPS 4000 /* instructions of one entry */
#define EXPRESSION_DEPTH 8
enum { RULE_SIGNAL = 1, RULE_END = 2 };
enum { HOW_SAME = 0, HOW_OFFSET, HOW_UNDEFINED, HOW_REGISTER, HOW_EXPRESSION, HOW_VALUE_OFFSET, HOW_VALUE_EXPRESSION };

typedef struct {
    const uint8_t *at, *end;
    int bad;
} Bytes;

typedef struct {
    uint8_t how[REGISTERS];
    int32_t offset[REGISTERS]; /* or a register, or where an expression begins in .eh_frame */
    int32_t cfa_offset;
    uint32_t cfa_expression; /* 0: none */
    uint8_t cfa_register;
} Row;

_Static_assert(sizeof(Row) <= 48 * sizeof(uint64_t) && MAX_REMEMBERED == 8, "the scratch has room for remembered rows");

static uint64_t take(Bytes *b, int size) {
    uint64_t value = 0;
    if (b->end - b->at < size) {
        b->bad = 1;
        return 0;
    }
    memcpy(&value, b->at, (size_t)size);
    b->at += size;
    return value;
}

static uint64_t take_uleb(Bytes *b) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        uint64_t byte = take(b, 1);
        value |= (byte & 0x7F) << shift;
        if (!(byte & 0x80)) return value;
    }
    b->bad = 1;
    return 0;
}

static int64_t take_sleb(Bytes *b) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        uint64_t byte = take(b, 1);
        value |= (byte & 0x7F) << shift;
        if (byte & 0x80) continue;
        if ((byte & 0x40) && shift < 57) value |= ~(uint64_t)0 << (shift + 7);
        return (int64_t)value;
    }
    b->bad = 1;
    return 0;
}

static int encoded_size(uint8_t encoding) {
    switch (encoding & 0x0F) {
    case 0x00: case 0x04: case 0x0C: return 8;
    case 0x02: case 0x0A: return 2;
    case 0x03: case 0x0B: return 4;
    default: return 0;
    }
}

/* Bytes that are not there yet are read with the rest of their page, and what is between: most stacks are short. */
int window_read(Window *window, uintptr_t from, void *to, size_t size) {
    uintptr_t end = from + size;
    if (size > PAGE || end < from) return 0;
    int is_new = from < window->low || end - window->low > window->capacity;
    while (is_new || end - window->low > window->size) {
        if (is_new) {
            window->low = from;
            window->size = 0;
        }
        size_t wanted = ((end + PAGE - 1) & ~(uintptr_t)(PAGE - 1)) - window->low;
        if (wanted > window->capacity) wanted = window->capacity;
        window->size += memory_read(window->bytes + window->size, window->low + window->size, wanted - window->size, window->slot);
        if (end - window->low <= window->size) break;
        if (is_new) return 0;
        is_new = 1; /* what is between may not be readable */
    }
    memcpy(to, window->bytes + (from - window->low), size);
    return 1;
}

static int evaluate(Unwinder *u, const Module *module, uint32_t at, const Registers *registers, const uint64_t *first,
                    uint64_t *result) {
    Bytes b = {module->eh + at, module->eh + module->eh_size, 0};
    uint64_t length = take_uleb(&b), stack[EXPRESSION_DEPTH], x, y;
    if (b.bad || length > (uint64_t)(b.end - b.at)) return 0;
    b.end = b.at + length;
    int depth = 0;
    if (first != NULL) stack[depth++] = *first;
    while (b.at < b.end && !b.bad) {
        uint8_t op = (uint8_t)take(&b, 1);
        if (depth >= EXPRESSION_DEPTH - 1) return 0;
        if (op >= 0x30 && op <= 0x4F) { /* literal */
            stack[depth++] = op - 0x30u;
        } else if (op >= 0x70 && op <= 0x8F) { /* register and offset */
            unsigned number = op - 0x70u;
            int64_t offset = take_sleb(&b);
            if (number >= REGISTERS || !(registers->known >> number & 1)) return 0;
            stack[depth++] = registers->value[number] + (uint64_t)offset;
        } else if (op >= 0x08 && op <= 0x0F) { /* constants of 1, 2, 4 and 8 bytes, unsigned and signed */
            int size = 1 << ((op - 0x08) >> 1);
            x = take(&b, size);
            if ((op & 1) && size < 8 && (x >> (8 * size - 1) & 1)) x |= ~(uint64_t)0 << (8 * size);
            stack[depth++] = x;
        } else if (op == 0x10) {
            stack[depth++] = take_uleb(&b);
        } else if (op == 0x11) {
            stack[depth++] = (uint64_t)take_sleb(&b);
        } else if (op == 0x12 && depth > 0) { /* dup */
            stack[depth] = stack[depth - 1];
            depth++;
        } else if (op == 0x13 && depth > 0) {
            depth--;
        } else if (op == 0x06 && depth > 0) { /* deref */
            if (!window_read(&u->stack, stack[depth - 1], &stack[depth - 1], 8)) return 0;
        } else if (op == 0x23 && depth > 0) {
            stack[depth - 1] += take_uleb(&b);
        } else if (depth > 1) {
            x = stack[depth - 2];
            y = stack[depth - 1];
            depth--;
            switch (op) {
            case 0x16: stack[depth - 1] = y; stack[depth++] = x; break; /* swap */
            case 0x1A: stack[depth - 1] = x & y; break;
            case 0x1C: stack[depth - 1] = x - y; break;
            case 0x1E: stack[depth - 1] = x * y; break;
            case 0x21: stack[depth - 1] = x | y; break;
            case 0x22: stack[depth - 1] = x + y; break;
            case 0x24: stack[depth - 1] = y < 64 ? x << y : 0; break;
            case 0x25: stack[depth - 1] = y < 64 ? x >> y : 0; break;
            case 0x27: stack[depth - 1] = x ^ y; break;
            case 0x29: stack[depth - 1] = x == y; break;
            case 0x2A: stack[depth - 1] = (int64_t)x >= (int64_t)y; break;
            case 0x2B: stack[depth - 1] = (int64_t)x > (int64_t)y; break;
            case 0x2C: stack[depth - 1] = (int64_t)x <= (int64_t)y; break;
            case 0x2D: stack[depth - 1] = (int64_t)x < (int64_t)y; break;
            case 0x2E: stack[depth - 1] = x != y; break;
            default: return 0;
            }
        } else {
            return 0;
        }
    }
    if (b.bad || depth == 0) return 0;
    *result = stack[depth - 1];
    return 1;
}

typedef struct {
    Bytes initial, own; /* instructions of the CIE and of the entry */
    uint64_t code_align;
    int64_t data_align;
    uintptr_t function;
    int is_signal;
} Description;

/* Copy what is not there yet of some bytes of a module's tables. Threads may do so at once: they write the same. */
static int have(Unwinder *u, const Module *module, const void *bytes, size_t size) {
    size_t at = (size_t)((const uint8_t *)bytes - module->copy);
    if (module->copied == NULL) return 1;
    if (at > module->copy_size || size > module->copy_size - at) return 0;
    for (size_t page = at / PAGE; page * PAGE < at + size; page++) {
        size_t from = page * PAGE, part = module->copy_size - from < PAGE ? module->copy_size - from : PAGE;
        if (__atomic_load_n(&module->copied[page], __ATOMIC_ACQUIRE)) continue;
        if (memory_read(module->copy + from, module->copy_address + from, part, u->stack.slot) != part) return 0;
        __atomic_store_n(&module->copied[page], 1, __ATOMIC_RELEASE);
    }
    return 1;
}

/* An entry from its length on; `b` is what stands behind the length. */
static int take_entry(Unwinder *u, const Module *module, const uint8_t *at, Bytes *b) {
    *b = (Bytes){at, module->eh + module->eh_size, 0};
    if (b->end - at < 4 || !have(u, module, at, 4)) return 0;
    uint64_t length = take(b, 4);
    if (length == 0 || length >= 0xFFFFFFF0u || length > (uint64_t)(b->end - b->at) || !have(u, module, b->at, length)) return 0;
    b->end = b->at + length;
    return 1;
}

/* The entry whose function holds pc. */
static int find_entry(Unwinder *u, const Module *module, uintptr_t pc, Description *found) {
    int64_t wanted = (int64_t)(pc - module->header_address);
    size_t low = 0, high = module->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (!have(u, module, &module->table[2 * middle], 8)) return 0;
        if (module->table[2 * middle] <= wanted) low = middle + 1; else high = middle;
    }
    if (low == 0 || !have(u, module, &module->table[2 * low - 2], 8)) return 0;
    found->function = module->header_address + (uintptr_t)(intptr_t)module->table[2 * (low - 1)];
    uintptr_t offset = module->header_address + (uintptr_t)(intptr_t)module->table[2 * low - 1] - module->eh_address;
    if (offset >= module->eh_size) return 0;
    Bytes b, c;
    if (!take_entry(u, module, module->eh + offset, &b)) return 0;
    const uint8_t *pointer_at = b.at;
    uint64_t back = take(&b, 4);
    if (back == 0 || back > (uint64_t)(pointer_at - module->eh)) return 0;
    if (!take_entry(u, module, pointer_at - back, &c)) return 0;
    if (take(&c, 4) != 0) return 0;
    uint8_t version = (uint8_t)take(&c, 1);
    const char *augmentation = (const char *)c.at;
    const uint8_t *zero = memchr(c.at, 0, (size_t)(c.end - c.at));
    if (c.bad || zero == NULL || (version != 1 && version != 3)) return 0;
    c.at = zero + 1;
    found->code_align = take_uleb(&c);
    found->data_align = take_sleb(&c);
    uint64_t return_register = version == 1 ? take(&c, 1) : take_uleb(&c);
    if (c.bad || return_register != RIP || (augmentation[0] != 'z' && augmentation[0] != 0)) return 0;
    uint8_t encoding = 0;
    found->is_signal = 0;
    if (augmentation[0] == 'z') {
        uint64_t size = take_uleb(&c);
        if (c.bad || size > (uint64_t)(c.end - c.at)) return 0;
        const uint8_t *behind = c.at + size;
        for (const char *letter = augmentation + 1; letter < (const char *)zero; letter++) {
            if (*letter == 'R') encoding = (uint8_t)take(&c, 1);
            else if (*letter == 'L') (void)take(&c, 1);
            else if (*letter == 'S') found->is_signal = 1;
            else if (*letter == 'P') {
                int bytes = encoded_size((uint8_t)take(&c, 1));
                if (bytes == 0) return 0;
                (void)take(&c, bytes);
            } else break;
        }
        c.at = behind;
    }
    int size = encoded_size(encoding);
    if (c.bad || size == 0) return 0;
    (void)take(&b, size); /* the function's begin, which the table has */
    uint64_t range = take(&b, size);
    if (b.bad || pc - found->function >= range) return 0;
    if (augmentation[0] == 'z') {
        uint64_t skip = take_uleb(&b);
        if (b.bad || skip > (uint64_t)(b.end - b.at)) return 0;
        b.at += skip;
    }
    found->initial = c;
    found->own = b;
    return 1;
}

static void set_rule(Row *row, uint64_t number, uint8_t how, int64_t offset) {
    if (number >= REGISTERS) return;
    row->how[number] = how;
    row->offset[number] = (int32_t)offset;
}

static void skip_block(Bytes *b) {
    uint64_t length = take_uleb(b);
    if (length > (uint64_t)(b->end - b->at)) b->bad = 1; else b->at += length;
}

/* Run instructions up to pc. */
static int run(Unwinder *u, const Module *module, Bytes b, const Description *entry, uintptr_t pc, const Row *initial, Row *row) {
    Row *remembered = (Row *)(void *)u->scratch;
    int depth = 0, steps = 0;
    uintptr_t at = entry->function;
    uint64_t number;
    while (b.at < b.end) {
        if (++steps > MAX_STEPS) return 0;
        uint8_t op = (uint8_t)take(&b, 1), low = op & 0x3F;
        uint64_t advance = 0;
        switch (op & 0xC0) {
        case 0x40: advance = low; break;
        case 0x80: set_rule(row, low, HOW_OFFSET, (int64_t)take_uleb(&b) * entry->data_align); break;
        case 0xC0:
            if (initial != NULL && low < REGISTERS) set_rule(row, low, initial->how[low], initial->offset[low]);
            break;
        default:
            switch (op) {
            case 0x00: break;
            case 0x02: advance = take(&b, 1); break;
            case 0x03: advance = take(&b, 2); break;
            case 0x04: advance = take(&b, 4); break;
            case 0x05: number = take_uleb(&b); set_rule(row, number, HOW_OFFSET, (int64_t)take_uleb(&b) * entry->data_align); break;
            case 0x06:
                number = take_uleb(&b);
                if (initial != NULL && number < REGISTERS) set_rule(row, number, initial->how[number], initial->offset[number]);
                break;
            case 0x07: set_rule(row, take_uleb(&b), HOW_UNDEFINED, 0); break;
            case 0x08: set_rule(row, take_uleb(&b), HOW_SAME, 0); break;
            case 0x09: number = take_uleb(&b); set_rule(row, number, HOW_REGISTER, (int64_t)take_uleb(&b)); break;
            case 0x0A:
                if (depth == MAX_REMEMBERED) return 0;
                remembered[depth++] = *row;
                break;
            case 0x0B:
                if (depth == 0) return 0;
                *row = remembered[--depth];
                break;
            case 0x0C:
                row->cfa_register = (uint8_t)take_uleb(&b);
                row->cfa_offset = (int32_t)take_uleb(&b);
                row->cfa_expression = 0;
                break;
            case 0x0D: row->cfa_register = (uint8_t)take_uleb(&b); row->cfa_expression = 0; break;
            case 0x0E: row->cfa_offset = (int32_t)take_uleb(&b); break;
            case 0x0F: row->cfa_expression = (uint32_t)(b.at - module->eh); skip_block(&b); break;
            case 0x10: case 0x16:
                number = take_uleb(&b);
                set_rule(row, number, op == 0x10 ? HOW_EXPRESSION : HOW_VALUE_EXPRESSION, b.at - module->eh);
                skip_block(&b);
                break;
            case 0x11: number = take_uleb(&b); set_rule(row, number, HOW_OFFSET, take_sleb(&b) * entry->data_align); break;
            case 0x12:
                row->cfa_register = (uint8_t)take_uleb(&b);
                row->cfa_offset = (int32_t)(take_sleb(&b) * entry->data_align);
                row->cfa_expression = 0;
                break;
            case 0x13: row->cfa_offset = (int32_t)(take_sleb(&b) * entry->data_align); break;
            case 0x14: number = take_uleb(&b); set_rule(row, number, HOW_VALUE_OFFSET, (int64_t)take_uleb(&b) * entry->data_align); break;
            case 0x15: number = take_uleb(&b); set_rule(row, number, HOW_VALUE_OFFSET, take_sleb(&b) * entry->data_align); break;
            case 0x2E: (void)take_uleb(&b); break; /* bytes of arguments, of no use here */
            case 0x2F: number = take_uleb(&b); set_rule(row, number, HOW_OFFSET, -(int64_t)take_uleb(&b) * entry->data_align); break;
            default: return 0;
            }
        }
        if (b.bad) return 0;
        if (advance) {
            at += advance * entry->code_align;
            if (at > pc) return 1;
        }
    }
    return 1;
}

static const Module *module_of(const Modules *modules, uintptr_t pc) {
    size_t low = 0, high = modules ? modules->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (modules->modules[middle]->start <= pc) low = middle + 1; else high = middle;
    }
    if (low == 0 || pc >= modules->modules[low - 1]->end) return NULL;
    return modules->modules[low - 1];
}

static const uint8_t SAVED[6] = {RBX, RBP, 12, 13, 14, 15};

static int step_out(Registers *registers, uint64_t cfa, const uint64_t *values, uint32_t known, uintptr_t pc,
                    NativeFrame *frame) {
    frame->cfa = cfa;
    if (cfa < frame->sp || cfa - frame->sp > MAX_FRAME_BYTES || (cfa == frame->sp && values[RIP] == pc)) return UNWIND_LOST;
    memcpy(registers->value, values, sizeof registers->value);
    registers->known = known;
    return values[RIP] == 0 ? UNWIND_END : UNWIND_OK;
}

/* The common kind of rule: the CFA is a register and an offset, registers are saved below it. */
static int step_by_rule(Unwinder *u, const Rule *rule, Registers *registers, uintptr_t pc, NativeFrame *frame) {
    if (!(registers->known >> rule->cfa_register & 1)) return UNWIND_LOST;
    uint64_t cfa = registers->value[rule->cfa_register] + (uint64_t)(int64_t)rule->cfa_offset;
    uint64_t values[REGISTERS];
    uint32_t known = registers->known & (1u << RBX | 1u << RBP | 0xF000u);
    frame->cfa = cfa;
    if (rule->flags & RULE_END) return UNWIND_END;
    memcpy(values, registers->value, sizeof values);
    for (int i = 0; i < 6; i++) {
        if (rule->saved[i] == NOT_SAVED) continue;
        if (!window_read(&u->stack, cfa + (uint64_t)(int64_t)rule->saved[i], &values[SAVED[i]], 8)) return UNWIND_LOST;
        known |= 1u << SAVED[i];
    }
    if (!window_read(&u->stack, cfa - 8, &values[RIP], 8)) return UNWIND_LOST;
    values[RSP] = cfa;
    return step_out(registers, cfa, values, known | 1u << RIP | 1u << RSP, pc, frame);
}

static int step_by_row(Unwinder *u, const Module *module, const Row *row, Registers *registers, uintptr_t pc,
                       NativeFrame *frame) {
    uint64_t cfa, values[REGISTERS];
    uint32_t known = 0;
    if (row->cfa_expression) {
        if (!evaluate(u, module, row->cfa_expression, registers, NULL, &cfa)) return UNWIND_LOST;
    } else {
        if (row->cfa_register >= REGISTERS || !(registers->known >> row->cfa_register & 1)) return UNWIND_LOST;
        cfa = registers->value[row->cfa_register] + (uint64_t)(int64_t)row->cfa_offset;
    }
    frame->cfa = cfa;
    if (row->how[RIP] == HOW_UNDEFINED) return UNWIND_END;
    values[RSP] = cfa;
    known |= 1u << RSP;
    for (unsigned i = 0; i < REGISTERS; i++) {
        uint64_t where;
        unsigned other = (unsigned)row->offset[i];
        switch (row->how[i]) {
        case HOW_SAME:
            if (i == RSP) break; /* it is the CFA */
            values[i] = registers->value[i];
            if (i == RBX || i == RBP || (i >= 12 && i <= 15)) known |= registers->known & 1u << i;
            break;
        case HOW_OFFSET:
            if (!window_read(&u->stack, cfa + (uint64_t)(int64_t)row->offset[i], &values[i], 8)) return UNWIND_LOST;
            known |= 1u << i;
            break;
        case HOW_VALUE_OFFSET:
            values[i] = cfa + (uint64_t)(int64_t)row->offset[i];
            known |= 1u << i;
            break;
        case HOW_REGISTER:
            if (other >= REGISTERS || !(registers->known >> other & 1)) break;
            values[i] = registers->value[other];
            known |= 1u << i;
            break;
        case HOW_EXPRESSION: case HOW_VALUE_EXPRESSION:
            if (!evaluate(u, module, (uint32_t)row->offset[i], registers, &cfa, &where)) break;
            if (row->how[i] == HOW_EXPRESSION && !window_read(&u->stack, where, &where, 8)) break;
            values[i] = where;
            known |= 1u << i;
            break;
        default: break;
        }
    }
    if (!(known >> RIP & 1) || !(known >> RSP & 1)) return UNWIND_LOST;
    if (values[RSP] < frame->sp && row->how[RSP] == HOW_SAME) return UNWIND_LOST;
    for (unsigned i = 0; i < REGISTERS; i++)
        if (!(known >> i & 1)) values[i] = 0;
    if (row->how[RSP] != HOW_SAME) { /* a signal's frame: the stack it interrupted may be another */
        memcpy(registers->value, values, sizeof registers->value);
        registers->known = known;
        return values[RIP] == 0 ? UNWIND_END : UNWIND_OK;
    }
    return step_out(registers, cfa, values, known, pc, frame);
}

/* Keep what a row says where it is of the common kind; 0: it is not. */
static int make_rule(const Row *row, const Description *entry, const Module *module, uintptr_t pc, Rule *rule) {
    if (row->cfa_expression || row->cfa_register >= REGISTERS || entry->is_signal) return 0;
    if (row->how[RIP] != HOW_UNDEFINED && (row->how[RIP] != HOW_OFFSET || row->offset[RIP] != -8)) return 0;
    if (row->how[RSP] != HOW_SAME) return 0;
    for (int i = 0; i < 6; i++) {
        uint8_t how = row->how[SAVED[i]];
        int32_t offset = row->offset[SAVED[i]];
        if (how != HOW_SAME && (how != HOW_OFFSET || offset <= NOT_SAVED || offset > INT16_MAX)) return 0;
        rule->saved[i] = how == HOW_SAME ? NOT_SAVED : (int16_t)offset;
    }
    rule->pc = pc;
    rule->function = entry->function;
    rule->module = module->id;
    rule->cfa_offset = row->cfa_offset;
    rule->cfa_register = row->cfa_register;
    rule->flags = row->how[RIP] == HOW_UNDEFINED ? RULE_END : 0;
    return 1;
}

int unwind_step(Unwinder *u, Registers *registers, int is_exact, NativeFrame *frame) {
    uintptr_t pc = registers->value[RIP] - (is_exact ? 0 : 1);
    *frame = (NativeFrame){.function = pc, .sp = registers->value[RSP], .cfa = registers->value[RSP]};
    uint64_t generation = __atomic_load_n(&modules_generation, __ATOMIC_ACQUIRE);
    if (u->rules_of != generation) {
        for (int i = 0; i < RULE_SLOTS; i++) u->rules[i].pc = 0;
        u->rules_of = generation;
    }
    const Module *module = module_of(u->modules, pc);
    if (module == NULL) {
        __atomic_store_n(&modules_missed, 1, __ATOMIC_RELAXED);
        return UNWIND_LOST;
    }
    frame->module = module->id;
    frame->base = module->base;
    Rule *rule = &u->rules[(pc * 0x9E3779B97F4A7C15u >> 40) & (RULE_SLOTS - 1)];
    if (rule->pc == pc) {
        frame->function = rule->function;
        return step_by_rule(u, rule, registers, pc, frame);
    }
    Description entry;
    if (module->eh == NULL || !find_entry(u, module, pc, &entry)) return UNWIND_LOST;
    frame->function = entry.function;
    Row row = {.cfa_register = RSP, .cfa_offset = 8}, initial;
    if (!run(u, module, entry.initial, &entry, UINTPTR_MAX, NULL, &row)) return UNWIND_LOST;
    initial = row;
    if (!run(u, module, entry.own, &entry, pc, &initial, &row)) return UNWIND_LOST;
    if (make_rule(&row, &entry, module, pc, rule)) return step_by_rule(u, rule, registers, pc, frame);
    rule->pc = 0;
    int result = step_by_row(u, module, &row, registers, pc, frame);
    return result == UNWIND_OK && entry.is_signal ? UNWIND_OK + 1 : result; /* the caller was interrupted */
}
#endif
