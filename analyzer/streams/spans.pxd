cimport cython

cdef class Spans:
    cdef public long long count
    cdef long long room
    cdef long long[::1] slot, offset, length, packet, at, position, time, release
    cdef unsigned char[::1] kind
    cpdef object grow(self)

@cython.locals(row=cython.longlong)
cpdef object emit(Spans spans, long long slot, int kind, long long offset, long long length, long long packet,
                  long long at, long long position, long long time, long long release)

@cython.locals(skip=cython.longlong)
cpdef object part(Spans spans, long long slot, int kind, long long offset, long long low, long long high,
                  long long packet, long long at, long long position, long long time, long long release)

cpdef object move(Spans spans, long long row, long long to)
