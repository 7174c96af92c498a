/* Where fields of the interpreter's own structures are, for the versions whose layout is known. Offsets in bytes.
   From the headers of each version (Include/internal/pycore_frame.h); the sampler checks them where the interpreter
   publishes its own table (from 3.13 on: _Py_DebugOffsets). */

#ifndef WORKBENCH_LAYOUT_H
#define WORKBENCH_LAYOUT_H

#if PY_VERSION_HEX >= 0x030C0000
#define FRAME_CODE 0
#define FRAME_PREVIOUS 8
#define FRAME_INSTRUCTION 56
#if PY_VERSION_HEX >= 0x030E0000
#define FRAME_OWNER 74
#else
#define FRAME_OWNER 70
#endif
/* Bits of the pointer to a code object that say how it is counted. */
#if PY_VERSION_HEX >= 0x030F0000
#define CODE_TAGS 3u
#elif PY_VERSION_HEX >= 0x030E0000
#define CODE_TAGS 1u
#endif
#else
#define FRAME_CODE 32
#define FRAME_PREVIOUS 48
#define FRAME_INSTRUCTION 56
#define FRAME_IS_ENTRY 68
#define FRAME_OWNER 69
#endif
#ifndef CODE_TAGS
#define CODE_TAGS 0u
#endif
#define FRAME_SIZE 80 /* all fields that are read */
enum { OWNED_BY_THREAD = 0, OWNED_BY_GENERATOR = 1, OWNED_BY_FRAME_OBJECT = 2, OWNED_BY_C = 3 };

#endif
