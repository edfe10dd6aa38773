cimport cython

cdef long long LATE_PACKETS, LATE_OCTETS, BEHIND, LAST

cdef class Flows:
    cdef readonly long long first, second
    cdef public long long count
    cdef long long[::1] low, high, stream, sender, packets, base
    cdef unsigned char[::1] opened

    @cython.locals(room=cython.longlong, wanted=cython.longlong, buckets=cython.longlong)
    cpdef object reserve(self, long long packets)

@cython.locals(mixed=cython.longlong)
cdef long long bucket_of(long long low, long long high, long long first, long long second)

@cython.locals(mask=cython.longlong, old=cython.Py_ssize_t, bucket=cython.longlong)
cdef object rehash(Flows flows, long long[::1] low, long long[::1] high, long long[::1] stream)

@cython.locals(known=cython.longlong, mask=cython.longlong, packet=cython.Py_ssize_t, sender=cython.longlong,
               low=cython.longlong, high=cython.longlong, bucket=cython.longlong, stream=cython.longlong,
               side=cython.longlong, number=cython.longlong, syn=cython.int, fresh=cython.bint, base=cython.longlong,
               before=cython.longlong, late=cython.bint, at=cython.longlong)
cpdef object walk(Flows flows, const long long[::1] source, const long long[::1] destination,
                  const unsigned int[::1] seq, const unsigned char[::1] flags, int[::1] stream_of,
                  unsigned char[::1] direction_of, long long[::1] first_of)
