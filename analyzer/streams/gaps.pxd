cimport cython

from analyzer.streams.segments cimport Segments
from analyzer.streams.spans cimport Spans, emit, part

cdef int GAP, LATE
cdef long long LOST_RANGES

@cython.locals(ranges=list)
cpdef object gap(Segments segments, Spans spans, long long slot, long long start, long long stop, long long packet,
                 long long time, long long release, long long place)

@cython.locals(low=cython.longlong, high=cython.longlong, octets=cython.longlong)
cpdef long long late(Segments segments, Spans spans, long long slot, long long offset, long long length,
                     long long packet, long long at, long long position, long long time) except -1
