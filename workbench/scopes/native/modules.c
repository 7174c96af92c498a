/* Which ELF files are loaded, and copies of their unwind tables. All is done by the sampler's helper thread; handlers
   only read what `modules_now` points to. A module's tables are copied when a handler first meets it. */

#include "sampler.h"

#if HAVE_SAMPLER
#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_MODULES 8192
#define MAX_EH_FRAME (256u << 20)

Modules *modules_now = NULL;
uint64_t modules_generation = 0;
int modules_missed = 0, modules_wanted = 0;

static uint64_t seen_adds, seen_subs;
static uint32_t ids = 0;
/* What is no longer current, until no handler can hold it. */
static struct Retired {
    struct Retired *next;
    void *what;
    size_t mapped; /* bytes to unmap; 0: to free */
} *retired = NULL;

static void retire(void *what, size_t mapped) {
    struct Retired *entry = what ? malloc(sizeof *entry) : NULL;
    if (entry == NULL) return;
    *entry = (struct Retired){retired, what, mapped};
    retired = entry;
}

void modules_release(void) {
    while (retired != NULL) {
        struct Retired *entry = retired;
        retired = entry->next;
        if (entry->mapped) munmap(entry->what, entry->mapped); else free(entry->what);
        free(entry);
    }
}

typedef struct {
    Modules *found;
    const Modules *before;
    uint64_t adds, subs;
} Listing;

static int look_at_counts(struct dl_phdr_info *info, size_t size, void *data) {
    Listing *listing = data;
    (void)size;
    listing->adds = info->dlpi_adds;
    listing->subs = info->dlpi_subs;
    return 1;
}

static void take_build_id(Module *module, const struct dl_phdr_info *info) {
    strcpy(module->build_id, "-");
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_NOTE) continue;
        const char *at = (const char *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        const char *end = at + info->dlpi_phdr[i].p_memsz;
        while (end - at >= (ptrdiff_t)sizeof(ElfW(Nhdr))) {
            const ElfW(Nhdr) *note = (const void *)at;
            const char *name = at + sizeof *note, *content = name + ((note->n_namesz + 3u) & ~3u);
            const char *next = content + ((note->n_descsz + 3u) & ~3u);
            if (next < at || next > end) break;
            if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
                size_t size = note->n_descsz < 20 ? note->n_descsz : 20;
                for (size_t k = 0; k < size; k++) sprintf(module->build_id + 2 * k, "%02x", (unsigned char)content[k]);
                return;
            }
            at = next;
        }
    }
}

static Module *new_module(const struct dl_phdr_info *info, uintptr_t start, uintptr_t end) {
    Module *module = calloc(1, sizeof *module);
    if (module == NULL) return NULL;
    module->start = start;
    module->end = end;
    module->base = info->dlpi_addr;
    module->id = ++ids;
    module->state = MODULE_WITHOUT;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME) {
            module->header_address = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            module->state = MODULE_NEW;
        }
    take_build_id(module, info);
    if (info->dlpi_name != NULL && info->dlpi_name[0]) {
        strncpy(module->path, info->dlpi_name, sizeof module->path - 1);
    } else { /* the program itself */
        ssize_t size = readlink("/proc/self/exe", module->path, sizeof module->path - 1);
        module->path[size < 0 ? 0 : size] = 0;
    }
    return module;
}

static int list_module(struct dl_phdr_info *info, size_t size, void *data) {
    Listing *listing = data;
    uintptr_t start = UINTPTR_MAX, end = 0;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_LOAD) continue;
        if (info->dlpi_addr + header->p_vaddr < start) start = info->dlpi_addr + header->p_vaddr;
        if (info->dlpi_addr + header->p_vaddr + header->p_memsz > end) end = info->dlpi_addr + header->p_vaddr + header->p_memsz;
    }
    if (start >= end || listing->found->count == MAX_MODULES) return 0;
    Module *module = NULL;
    for (size_t i = 0; listing->before != NULL && i < listing->before->count; i++) {
        Module *old = listing->before->modules[i];
        /* Loaded anew at the same place it is another module, though nothing else tells: its tables are read again. */
        if (old->start == start && old->end == end && old->base == info->dlpi_addr && seen_subs == info->dlpi_subs)
            module = old;
    }
    if (module == NULL && (module = new_module(info, start, end)) == NULL) return 0;
    size_t at = listing->found->count++;
    for (; at > 0 && listing->found->modules[at - 1]->start > start; at--)
        listing->found->modules[at] = listing->found->modules[at - 1];
    listing->found->modules[at] = module;
    return 0;
}

int modules_refresh(void) {
    Listing listing = {NULL, modules_now, 0, 0};
    dl_iterate_phdr(look_at_counts, &listing);
    if (modules_now != NULL && listing.adds == seen_adds && listing.subs == seen_subs) return 0;
    size_t room = sizeof(Modules) + MAX_MODULES * sizeof(Module *);
    Modules *found = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) return 0;
    listing.found = found;
    dl_iterate_phdr(list_module, &listing);
    seen_adds = listing.adds;
    seen_subs = listing.subs;
    Modules *before = modules_now;
    __atomic_store_n(&modules_now, found, __ATOMIC_RELEASE);
    __atomic_add_fetch(&modules_generation, 1, __ATOMIC_ACQ_REL);
    for (size_t i = 0; before != NULL && i < before->count; i++) {
        Module *old = before->modules[i];
        int stays = 0;
        for (size_t k = 0; k < found->count; k++) stays |= found->modules[k] == old;
        if (stays) continue;
        if (old->eh != NULL) retire((void *)(uintptr_t)old->eh, old->eh_size);
        if (old->table != NULL) retire((void *)(uintptr_t)old->table, old->count * 8);
        retire(old, 0);
    }
    if (before != NULL) retire(before, room);
    return 1;
}

/* ---- tables ---------------------------------------------------------------------------------------------- */

static int64_t read_pointer(uint8_t encoding, uintptr_t at, uintptr_t header, int *size) {
    int64_t value = 0;
    uint32_t four = 0;
    switch (encoding & 0x0F) {
    case 0x03: *size = 4; if (memory_read(&four, at, 4, 0) != 4) return 0; value = four; break;
    case 0x0B: *size = 4; if (memory_read(&four, at, 4, 0) != 4) return 0; value = (int32_t)four; break;
    case 0x00: case 0x04: case 0x0C: *size = 8; if (memory_read(&value, at, 8, 0) != 8) return 0; break;
    default: *size = 0; return 0;
    }
    if ((encoding & 0x70) == 0x10) value += (int64_t)at;
    if ((encoding & 0x70) == 0x30) value += (int64_t)header;
    return value;
}

static void *copied(uintptr_t from, size_t size) {
    void *copy = size ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;
    if (copy == MAP_FAILED) return NULL;
    size_t done = 0;
    while (done < size) { /* process_vm_readv moves at most 2 GiB, the file 4 KiB, at once */
        size_t got = memory_read((char *)copy + done, from + done, size - done, 0);
        if (got == 0) break;
        done += got;
    }
    if (done == size) return copy;
    munmap(copy, size);
    return NULL;
}

/* Entries stand one behind the other, to one of length 0 or the end of the module. */
static size_t eh_frame_size(uintptr_t from, uintptr_t end) {
    static uint8_t block[1 << 16];
    uintptr_t at = from, block_at = 0;
    size_t have = 0;
    while (at + 4 <= end && at - from < MAX_EH_FRAME) {
        if (at < block_at || at + 4 > block_at + have) {
            block_at = at;
            have = memory_read(block, at, sizeof block < end - at ? sizeof block : end - at, 0);
            if (have < 4) return at - from;
        }
        uint32_t length;
        memcpy(&length, block + (at - block_at), 4);
        if (length == 0) return at + 4 - from;
        if (length >= 0xFFFFFFF0u || length > end - at - 4) return at - from;
        at += 4 + (uintptr_t)length;
    }
    return at - from;
}

static void read_tables(Module *module) {
    uint8_t head[4];
    int state = MODULE_WITHOUT, size = 0, count_size = 0;
    uintptr_t header = module->header_address;
    if (memory_read(head, header, 4, 0) == 4 && head[0] == 1 && head[3] == 0x3B) {
        module->eh_address = (uintptr_t)read_pointer(head[1], header + 4, header, &size);
        uint64_t count = size ? (uint64_t)read_pointer(head[2], header + 4 + (uintptr_t)size, header, &count_size) : 0;
        if (count > 0 && count < (16u << 20) && module->eh_address >= module->start && module->eh_address < module->end) {
            module->count = count;
            module->eh_size = eh_frame_size(module->eh_address, module->end);
            module->eh = copied(module->eh_address, module->eh_size);
            module->table = copied(header + 4 + (uintptr_t)size + (uintptr_t)count_size, count * 8);
            if (module->eh != NULL && module->table != NULL) state = MODULE_READY;
        }
    }
    __atomic_store_n(&module->state, state, __ATOMIC_RELEASE);
}

int modules_read_wanted(void) {
    const Modules *modules = modules_now;
    int count = 0;
    if (!__atomic_exchange_n(&modules_wanted, 0, __ATOMIC_ACQ_REL)) return 0;
    for (size_t i = 0; modules != NULL && i < modules->count; i++) {
        if (__atomic_load_n(&modules->modules[i]->state, __ATOMIC_ACQUIRE) != MODULE_WANTED) continue;
        read_tables(modules->modules[i]);
        count++;
    }
    return count;
}
#endif
