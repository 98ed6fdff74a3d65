/* Runs the `.so` of a host segment once, as a program of its own under Linux on AArch64 (or qemu-aarch64): no library, so that it
 * starts anywhere.
 *
 * runner LIBRARY, with its input on stdin: uint64 counts of inputs and outputs, uint64 bytes of each of them, then the inputs one
 * after the other. The outputs go to stdout the same way. Every buffer ends where memory ends that may be touched, so that a
 * kernel which goes beyond one is stopped by a signal. Exit status: 0, or one from 101 on that says which step failed.
 */
#include <stddef.h>
#include <stdint.h>

enum { NONE, NO_FILE = 101, NO_ELF, NO_MEMORY, OUTSIDE, NO_SYMBOL, FOREIGN_RELOCATION, NO_INPUT, NO_OUTPUT };
enum { READ = 63, WRITE = 64, OPENAT = 56, LSEEK = 62, EXIT = 93, MMAP = 222, MPROTECT = 226 };
#define MOST_BUFFERS 4096
#define PAGE 4096

typedef struct { uint8_t magic[16]; uint16_t type, machine; uint32_t version; uint64_t entry, headers, sections; uint32_t flags; uint16_t size, header_size, header_count; } elf_file;
typedef struct { uint32_t type, flags; uint64_t offset, address, physical, file_size, memory_size, align; } elf_load;
typedef struct { int64_t tag; uint64_t value; } elf_dynamic;
typedef struct { uint32_t name; uint8_t info, other; uint16_t section; uint64_t address, size; } elf_symbol;
typedef struct { uint64_t place, info; int64_t addend; } elf_relocation;

static long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

__attribute__((noreturn)) static void stop(int status)
{
    call(EXIT, status, 0, 0, 0, 0, 0);
    __builtin_unreachable();
}

/* Memory between two pages that may not be touched: it ends at the second one. */
static unsigned char *room(uint64_t bytes)
{
    const uint64_t pages = (bytes + PAGE - 1) / PAGE * PAGE;
    const long found = call(MMAP, 0, (long)(pages + 2 * PAGE), 0, 0x22, -1, 0);
    if ((found < 0 && found > -4096) || (pages && call(MPROTECT, found + PAGE, (long)pages, 3, 0, 0, 0) < 0))
        stop(NO_MEMORY);
    return (unsigned char *)found + PAGE + pages - bytes;
}

static void take(int file, unsigned char *to, uint64_t bytes, int status)
{
    while (bytes) {
        const long done = call(READ, file, (long)to, (long)bytes, 0, 0, 0);
        if (done <= 0)
            stop(status);
        to += done;
        bytes -= (uint64_t)done;
    }
}

static void give(const unsigned char *from, uint64_t bytes)
{
    while (bytes) {
        const long done = call(WRITE, 1, (long)from, (long)bytes, 0, 0, 0);
        if (done <= 0)
            stop(NO_OUTPUT);
        from += done;
        bytes -= (uint64_t)done;
    }
}

/* The file's loadable parts at their places in one piece of memory, whose bytes come back in `size`. */
static unsigned char *load(const char *path, uint64_t *size, const elf_dynamic **dynamic)
{
    const long file = call(OPENAT, -100, (long)path, 0, 0, 0, 0);
    const long length = file < 0 ? -1 : call(LSEEK, file, 0, 2, 0, 0, 0);
    if (length < (long)sizeof(elf_file) || call(LSEEK, file, 0, 0, 0, 0, 0) < 0)
        stop(NO_FILE);
    unsigned char *const data = room((uint64_t)length);
    take((int)file, data, (uint64_t)length, NO_FILE);
    const elf_file *const head = (const elf_file *)data;
    if (head->magic[0] != 0x7f || head->magic[4] != 2 || head->machine != 183 || head->header_size != sizeof(elf_load) ||
        head->headers > (uint64_t)length || head->header_count * sizeof(elf_load) > (uint64_t)length - head->headers)
        stop(NO_ELF);
    const elf_load *const loads = (const elf_load *)(data + head->headers);
    uint64_t end = 0;
    for (int i = 0; i < head->header_count; i++) {
        const elf_load *const l = loads + i;
        if (l->address > (1u << 31) || l->memory_size > (1u << 31) || l->file_size > l->memory_size ||
            l->offset > (uint64_t)length || l->file_size > (uint64_t)length - l->offset)
            stop(OUTSIDE);
        if (l->type == 1 && l->address + l->memory_size > end)
            end = l->address + l->memory_size;
    }
    end = (end + PAGE - 1) / PAGE * PAGE;
    unsigned char *const memory = room(end);
    for (int i = 0; i < head->header_count; i++) {
        for (uint64_t k = 0; loads[i].type == 1 && k < loads[i].file_size; k++)
            memory[loads[i].address + k] = data[loads[i].offset + k];
        if (loads[i].type == 2)
            *dynamic = (const elf_dynamic *)(memory + loads[i].address);
    }
    *size = end;
    return memory;
}

static uint64_t entry(const elf_dynamic *dynamic, int64_t tag)
{
    for (; dynamic && dynamic->tag; dynamic++)
        if (dynamic->tag == tag)
            return dynamic->value;
    return 0;
}

/* A library that needs no other has relocations of one kind alone: addresses within itself. */
static void relocate(unsigned char *memory, uint64_t size, const elf_dynamic *dynamic)
{
    const elf_relocation *const relocations = (const elf_relocation *)(memory + entry(dynamic, 7));
    for (uint64_t i = 0; i < entry(dynamic, 8) / sizeof *relocations; i++) {
        if (relocations[i].info != 1027 || relocations[i].place > size - 8)
            stop(FOREIGN_RELOCATION);
        *(uint64_t *)(memory + relocations[i].place) = (uint64_t)(memory + relocations[i].addend);
    }
    if (entry(dynamic, 2))
        stop(FOREIGN_RELOCATION);
}

static unsigned char *symbol(unsigned char *memory, uint64_t size, const elf_dynamic *dynamic, const char *name)
{
    const uint32_t *const hash = (const uint32_t *)(memory + entry(dynamic, 4));
    const elf_symbol *const symbols = (const elf_symbol *)(memory + entry(dynamic, 6));
    const char *const names = (const char *)memory + entry(dynamic, 5);
    for (uint32_t i = 0; entry(dynamic, 4) && i < hash[1]; i++) {
        const char *one = names + symbols[i].name, *other = name;
        while (*one && *one == *other)
            one++, other++;
        if (*one == *other && symbols[i].section && symbols[i].address < size)
            return memory + symbols[i].address;
    }
    stop(NO_SYMBOL);
}

__attribute__((used)) static void start(const long *stack)
{
    const elf_dynamic *dynamic = NULL;
    uint64_t size, counts[2], sizes[MOST_BUFFERS];
    void *buffers[MOST_BUFFERS];
    if (stack[0] != 2)
        stop(NO_FILE);
    unsigned char *const memory = load((const char *)stack[2], &size, &dynamic);
    relocate(memory, size, dynamic);
    int (*const run)(void **, void **, void *) = (int (*)(void **, void **, void *))symbol(memory, size, dynamic, "sima_host_run");
    const uint64_t workspace = *(const uint64_t *)symbol(memory, size, dynamic, "sima_host_workspace_bytes");
    if (call(MPROTECT, (long)memory, (long)size, 7, 0, 0, 0) < 0)
        stop(NO_MEMORY);
    take(0, (unsigned char *)counts, sizeof counts, NO_INPUT);
    if (counts[0] > MOST_BUFFERS || counts[1] > MOST_BUFFERS - counts[0])
        stop(NO_INPUT);
    take(0, (unsigned char *)sizes, (counts[0] + counts[1]) * 8, NO_INPUT);
    for (uint64_t i = 0; i < counts[0] + counts[1]; i++) {
        buffers[i] = room(sizes[i]);
        if (i < counts[0])
            take(0, buffers[i], sizes[i], NO_INPUT);
    }
    if (run(buffers, buffers + counts[0], room(workspace)))
        stop(NO_OUTPUT);
    for (uint64_t i = counts[0]; i < counts[0] + counts[1]; i++)
        give(buffers[i], sizes[i]);
    stop(NONE);
}

__asm__(".globl _start\n_start:\n mov x0, sp\n bl start\n");
