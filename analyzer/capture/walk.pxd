cimport cython

from dissectors.columns cimport Growing

cdef long long RECORD_LIMIT, BLOCK_LIMIT

cdef class RecordRows(Growing):
    pass

@cython.locals(value=cython.longlong)
cdef long long word(const unsigned char[::1] octets, Py_ssize_t at, bint big) noexcept

@cython.locals(code=cython.int, length=cython.int)
cdef long long comment_of(const unsigned char[::1] octets, Py_ssize_t at, Py_ssize_t end, bint big) except -1

@cython.locals(row=cython.longlong)
cdef object record(RecordRows rows, long long at, long long captured, long long wire, long long interface,
                   long long high, long long low, long long options, long long end)

@cython.locals(captured=cython.longlong, start=cython.longlong)
cpdef long long walk_pcap(const unsigned char[::1] octets, long long at, long long stop, bint big, int header,
                          RecordRows rows) except? -1

@cython.locals(kind=cython.longlong, length=cython.longlong, end=cython.longlong, wire=cython.longlong,
               captured=cython.longlong, padded=cython.longlong, interface=cython.longlong, options=cython.longlong)
cpdef long long walk_pcapng(const unsigned char[::1] octets, long long at, long long stop, bint big,
                            RecordRows rows) except? -1
