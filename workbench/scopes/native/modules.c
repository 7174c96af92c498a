/* Which ELF files are loaded, and where their unwind tables are. All is done by the sampler's helper thread; handlers
   read what `modules_now` points to, and copy the tables page by page as they need them (unwind.c). */

#include "sampler.h"

#if HAVE_SAMPLER
#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_MODULES 8192
#define MAX_TABLES (256u << 20) /* bytes of one module's tables */

Modules *modules_now = NULL;
uint64_t modules_generation = 0;
int modules_missed = 0;

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

static uintptr_t pointer_at(uint8_t encoding, const char **at, uintptr_t header) {
    uint64_t value = 0;
    uint32_t four = 0;
    uintptr_t own = (uintptr_t)*at;
    switch (encoding & 0x0F) {
    case 0x03: memcpy(&four, *at, 4); *at += 4; value = four; break;
    case 0x0B: memcpy(&four, *at, 4); *at += 4; value = (uint64_t)(int64_t)(int32_t)four; break;
    case 0x00: case 0x04: case 0x0C: memcpy(&value, *at, 8); *at += 8; break;
    default: return 0;
    }
    if ((encoding & 0x70) == 0x10) value += own;
    if ((encoding & 0x70) == 0x30) value += header;
    return (uintptr_t)value;
}

/* Find .eh_frame_hdr and .eh_frame, and make room for a copy of the segment that they are in. */
static void find_tables(Module *module, const struct dl_phdr_info *info) {
    uintptr_t header = 0, first = 0, end = 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME) header = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, to = from + info->dlpi_phdr[i].p_filesz;
        if (info->dlpi_phdr[i].p_type == PT_LOAD && header >= from && header < to) first = from, end = to;
    }
    if (header == 0 || end < header + 20) return;
    const char *at = (const char *)header + 4;
    uint8_t head[4];
    memcpy(head, (const char *)header, 4);
    if (head[0] != 1 || head[3] != 0x3B) return;
    uintptr_t eh = pointer_at(head[1], &at, header), count = eh ? pointer_at(head[2], &at, header) : 0, table = (uintptr_t)at;
    if (eh < first || eh >= end || table > end || count == 0 || count > (end - table) / 8) return;
    uintptr_t from = (eh < header ? eh : header) & ~(uintptr_t)(PAGE - 1);
    if (end - from > MAX_TABLES) return;
    size_t pages = (end - from + PAGE - 1) / PAGE;
    char *room = mmap(NULL, pages * (PAGE + 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) return;
    module->copy = (uint8_t *)room;
    module->copied = (uint8_t *)room + pages * PAGE;
    module->copy_address = from;
    module->copy_size = end - from;
    module->eh = module->copy + (eh - from);
    module->eh_address = eh;
    module->eh_size = end - eh;
    module->table = (const int32_t *)(const void *)(module->copy + (table - from));
    module->header_address = header;
    module->count = count;
}

static Module *new_module(const struct dl_phdr_info *info, uintptr_t start, uintptr_t end) {
    Module *module = calloc(1, sizeof *module);
    if (module == NULL) return NULL;
    module->start = start;
    module->end = end;
    module->base = info->dlpi_addr;
    module->id = ++ids;
    find_tables(module, info);
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
        if (old->copy != NULL) retire(old->copy, (old->copy_size + PAGE - 1) / PAGE * (PAGE + 1));
        retire(old, 0);
    }
    if (before != NULL) retire(before, room);
    return 1;
}
#endif
