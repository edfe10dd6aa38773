cimport cython

from analyzer.streams.delivery cimport end, unhold
from analyzer.streams.segments cimport Segments
from analyzer.streams.sequence cimport distance
from analyzer.streams.spans cimport Spans

cdef int INFERRED
cdef long long HELD_TOTAL, LAST

cpdef object open_at(Segments segments, Spans spans, long long slot, long long begin, long long release)

cdef object shift(Segments segments, long long slot, long long by)

@cython.locals(behind=cython.longlong)
cpdef object begin_at(Segments segments, Spans spans, long long slot, long long start, long long release)

@cython.locals(other=cython.longlong, both=cython.bint)
cpdef object settle(Segments segments, Spans spans, long long slot, long long release)

@cython.locals(lowest=cython.longlong)
cdef object start(Segments segments, long long slot)

@cython.locals(slot=cython.longlong)
cpdef object relieve(Segments segments, Spans spans, long long release)
