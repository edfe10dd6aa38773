cimport cython

from analyzer.streams.segments cimport Segments

cdef long long REORDERED, COPY_TIME, RECENT, UNTIMED
cdef int RETRANSMITTED, OUT_OF_ORDER, DUPLICATES, KEEPALIVES, PROBES, STALLS, STALLED, LONGEST_STALL, SHUT_SINCE, URGENT
cdef int URGENT_PACKET, URGENT_OFFSET, BEYOND, BEYOND_PACKET, BEYOND_OFFSET, RESETS, RESET_PACKET, RESET_OFFSET
cdef int EARLY, EARLY_PACKET

@cython.locals(row=cython.longlong)
cdef long long figure(Segments segments, long long slot) except -1

@cython.locals(row=cython.longlong)
cdef object first(Segments segments, long long slot, int kind, long long amount, long long packet, long long offset)

cpdef object urgent(Segments segments, long long slot, long long packet)

cpdef object invalid_reset(Segments segments, long long slot, long long packet)

cpdef object beyond(Segments segments, long long slot, long long octets, long long packet)

@cython.locals(row=cython.longlong)
cpdef object early(Segments segments, long long slot, long long octets, long long packet)

@cython.locals(row=cython.longlong)
cpdef object probe(Segments segments, long long slot)

@cython.locals(row=cython.longlong)
cpdef object again(Segments segments, long long slot, long long ahead, long long length, bint duplicate)

@cython.locals(row=cython.longlong)
cpdef object copied(Segments segments, long long slot)

@cython.locals(row=cython.longlong, trip=cython.longlong, since=cython.longlong, age=cython.longlong)
cpdef object filled(Segments segments, long long slot, long long time)

@cython.locals(row=cython.longlong, since=cython.longlong)
cpdef object window(Segments segments, long long slot, long long size, long long time)

@cython.locals(step=cython.int)
cpdef object handshake(Segments segments, long long stream, long long slot, int bits, long long time)

cpdef object timed(Segments segments, long long slot, long long stop, long long time)

@cython.locals(trip=cython.longlong)
cpdef object acknowledged(Segments segments, long long slot, long long reach, long long time)

@cython.locals(at=cython.longlong, place=cython.longlong, look=cython.longlong, since=cython.longlong, same=cython.bint)
cpdef bint known(Segments segments, long long slot, long long seq, long long length, long long identification,
                 long long time) except -1
