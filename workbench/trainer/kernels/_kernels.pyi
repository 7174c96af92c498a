from numpy import ufunc

fast: ufunc
fast_and_slope: ufunc
faster: ufunc
faster_and_slope: ufunc
tanh_1e4: ufunc
tanh_1e4_and_slope: ufunc
tanh_1e7: ufunc
tanh_1e7_and_slope: ufunc
tanh_1e12: ufunc
tanh_1e12_and_slope: ufunc
levels: dict[str, dict[str, ufunc]]
