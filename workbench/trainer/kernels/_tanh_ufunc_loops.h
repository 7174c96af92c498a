/* What NumPy calls: loops over arrays of any stride, by the kernels' own over arrays without gaps.
 * Included by `_kernels.c` alone. */

/* Comparing NaN, narrowing a large double and squaring set flags which NumPy would report as warnings; here
 * they are part of the method. Clearing is slow, testing is not. */
static inline void
clear_float_flags(void)
{
    const int reported = FE_INVALID | FE_OVERFLOW | FE_UNDERFLOW | FE_DIVBYZERO;
    if (fetestexcept(reported)) {
        feclearexcept(reported);
    }
}

/* The ufuncs' loops. With gaps between the elements they are gathered, so that these too run as vectors. Without,
 * vectors start where the output has a cache line's start: stores that straddle two lines cost a fifth more. */
#define DEFINE_UFUNC_LOOPS(type)                                                                          \
    static inline npy_intp until_aligned_##type(const type *out, npy_intp n)                              \
    {                                                                                                     \
        npy_intp before = (npy_intp)(-(uintptr_t)out % CACHE_LINE / sizeof(type));                        \
        return n < BLOCK ? 0 : before;                                                                    \
    }                                                                                                     \
                                                                                                          \
    static inline void gather_##type(type *block, const char *from, npy_intp step, npy_intp n)            \
    {                                                                                                     \
        for (npy_intp i = 0; i < n; i++) {                                                                \
            block[i] = *(const type *)(from + i * step);                                                  \
        }                                                                                                 \
    }                                                                                                     \
                                                                                                          \
    static inline void scatter_##type(const type *block, char *to, npy_intp step, npy_intp n)             \
    {                                                                                                     \
        for (npy_intp i = 0; i < n; i++) {                                                                \
            *(type *)(to + i * step) = block[i];                                                          \
        }                                                                                                 \
    }                                                                                                     \
                                                                                                          \
    static void ufunc_loop_##type(char **args, npy_intp const *dimensions, npy_intp const *steps,         \
                                  void *data)                                                             \
    {                                                                                                     \
        const kernel_loops *kernel = data;                                                                \
        const npy_intp n = dimensions[0], size = sizeof(type);                                            \
        if (steps[0] == size && steps[1] == size) {                                                       \
            const type *in = (const type *)args[0];                                                       \
            type *value = (type *)args[1];                                                                \
            const npy_intp head = until_aligned_##type(value, n);                                         \
            if (head > 0) {                                                                               \
                kernel->of_##type(in, value, head);                                                           \
            }                                                                                             \
            kernel->of_##type(in + head, value + head, n - head);                                             \
        }                                                                                                 \
        else {                                                                                            \
            type block[BLOCK];                                                                            \
            for (npy_intp i = 0; i < n; i += BLOCK) {                                                     \
                const npy_intp count = n - i < BLOCK ? n - i : BLOCK;                                     \
                gather_##type(block, args[0] + i * steps[0], steps[0], count);                            \
                kernel->of_##type(block, block, count);                                                       \
                scatter_##type(block, args[1] + i * steps[1], steps[1], count);                           \
            }                                                                                             \
        }                                                                                                 \
        clear_float_flags();                                                                              \
    }

DEFINE_UFUNC_LOOPS(float)
DEFINE_UFUNC_LOOPS(double)
