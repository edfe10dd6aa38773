cimport cython

from analyzer.streams.gaps cimport gap, late
from analyzer.streams.segments cimport Segments
from analyzer.streams.spans cimport Spans, emit, part

cdef int DATA, OVERLAP

@cython.locals(low=cython.longlong, start=cython.longlong, stop=cython.longlong, right=tuple)
cpdef object copy(Segments segments, Spans spans, long long slot, long long offset, long long length, long long packet,
                  long long at, long long position, long long time, long long release)

@cython.locals(low=cython.longlong, start=cython.longlong, stop=cython.longlong, right=tuple)
cpdef object correct(Segments segments, Spans spans, long long slot, long long offset, long long length,
                     long long packet, long long at, long long position, long long time, long long release)

@cython.locals(begin=cython.longlong, packet=cython.longlong, at=cython.longlong, time=cython.longlong)
cdef object correction(Spans spans, long long slot, long long start, long long stop, tuple right, long long release)

@cython.locals(start=cython.longlong, stop=cython.longlong, right=tuple)
cpdef object cut(Segments segments, Spans spans, long long slot, long long low, long long end_at, long long packet,
                 long long time, long long release)
