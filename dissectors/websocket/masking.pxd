cimport cython

cdef bint PLAIN

@cython.locals(length=cython.Py_ssize_t, out=bytearray, k0=cython.uint, k1=cython.uint, k2=cython.uint,
               k3=cython.uint, at=cython.Py_ssize_t)
cpdef bytearray unmask(const unsigned char[::1] octets, Py_ssize_t start, Py_ssize_t stop, long long key,
                       long long phase, bint tail)

@cython.locals(k0=cython.uint, k1=cython.uint, k2=cython.uint, k3=cython.uint, at=cython.Py_ssize_t, turn=cython.int,
               octet=cython.uint, low=cython.int, high=cython.int, due=cython.int)
cpdef long long utf8(const unsigned char[::1] octets, Py_ssize_t start, Py_ssize_t stop, long long key,
                     long long phase, long long state) except? -2
