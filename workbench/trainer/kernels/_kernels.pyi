from numpy import ufunc

fast: ufunc
faster: ufunc
tanh_1e4: ufunc
tanh_1e7: ufunc
tanh_1e12: ufunc
levels: dict[str, dict[str, ufunc]]
