"""Short names for native functions: what they do, without which processor they were compiled for."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from workbench.profile._record import Frame

_COMPILED = re.compile(r"(?:\.(?:isra|constprop|part|cold|lto_priv)(?:\.\d+)*)+$")
_PROCESSOR = re.compile(
    r"_(?:X86_V\d|SSE\d*|SSE4[12]|SSSE3|AVX2?|AVX512\w*|FMA[34]|ASIMD\w*|NEON\w*|VSX\d?|SVE|RVV"
    r"|PRESCOTT|CORE2|PENRYN|DUNNINGTON|NEHALEM|ATOM|SANDYBRIDGE|HASWELL|SKYLAKEX|COOPERLAKE|SAPPHIRERAPIDS"
    r"|BARCELONA|BOBCAT|BULLDOZER|PILEDRIVER|STEAMROLLER|EXCAVATOR|ZEN"
    r"|ARMV8\w*|CORTEX\w+|NEOVERSE\w+|THUNDERX\w*|VORTEX\w*|POWER\d+)$"
)
_LOOP = re.compile(
    r"(?:BOOL|U?(?:BYTE|SHORT|INT|LONG|LONGLONG)|HALF|FLOAT|DOUBLE|LONGDOUBLE|C(?:FLOAT|DOUBLE|LONGDOUBLE)|OBJECT)_([a-z]\w*)"
)
"""NumPy's inner loops: the type of the numbers, and what is done with them."""
_ROUTINE = re.compile(
    r"([sdcz](?:gemm3?m?t?|symm|hemm|syrk|herk|syr2k|her2k|trsm|trmm|gemv|gbmv|symv|hemv|spmv|trmv|trsv|ger[uc]?|syr2?"
    r"|her2?|axp(?:b?y)|dot[uc]?|scal|copy|swap|nrm2|asum|rot|potr[fis]|potf2|getr[fis]|geqrf|gels[dy]?|gesdd|gesvd"
    r"|syev[dr]?|heev[dr]?|lauum|lauu2|trtr[is]|trti2|laswp))_\w+"
)
"""Parts of a routine of BLAS or LAPACK, such as `dgemm_oncopy`."""
_BLAS = re.compile(r"blas|mkl|blis|lapack|atlas", re.IGNORECASE)
_HASH = re.compile(r"-[0-9a-f]{8,}$")
_ENDINGS = re.compile(r"(?:\.cpython-[^.]*|\.abi3)?\.(?:so(?:\.\d+)*|dylib|dll|pyd)$")


def native_name(frame: Frame) -> str:
    """Return a short name for a native function: `tanh` for `DOUBLE_tanh_X86_V4`, `dgemm` for all its kernels.

    What has no symbol has the name of its library in brackets, as py-spy gives it, without version and hash.
    """
    name = frame.name
    if name.startswith("[") and name.endswith("]"):
        return f"[{_HASH.sub('', _ENDINGS.sub('', name[1:-1])) or name[1:-1]}]"
    short = _COMPILED.sub("", name)
    while (shorter := _PROCESSOR.sub("", short)) != short:
        short = shorter
    loop = _LOOP.fullmatch(short)
    if loop:
        return loop[1]
    routine = _ROUTINE.fullmatch(short) if _BLAS.search(PurePosixPath(frame.file).name) else None
    return routine[1] if routine else short or name
