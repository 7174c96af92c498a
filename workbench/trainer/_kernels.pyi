from numpy import ufunc

fast: ufunc
faster: ufunc
