cimport cython

from analyzer.streams.copies cimport copy, correct, cut
from analyzer.streams.gaps cimport gap
from analyzer.streams.segments cimport Segments
from analyzer.streams.sequence cimport distance
from analyzer.streams.spans cimport Spans, emit
from analyzer.streams.withholding cimport let_pass, needed, pass_on

cdef int DATA, STREAM_END, STREAM_RESET, FIN_DELIVERED
cdef long long FOREVER

@cython.locals(stop=cython.longlong, size=cython.longlong)
cpdef object deliver_apart(Segments segments, Spans spans, long long slot, long long offset, long long length,
                           long long captured, long long packet, long long at, long long position, long long time,
                           long long release, long long need)

@cython.locals(before=cython.longlong, skip=cython.longlong)
cpdef object deliver(Segments segments, Spans spans, long long slot, long long offset, long long length,
                     long long captured, long long packet, long long at, long long position, long long time,
                     long long release, long long need)

cpdef bint hold(Segments segments, long long slot, long long offset, long long length, long long captured,
                long long packet, long long at, long long position, long long time, long long ack) except -1

@cython.locals(heap=list, offset=cython.longlong, packet=cython.longlong, length=cython.longlong,
               captured=cython.longlong, at=cython.longlong, position=cython.longlong, time=cython.longlong, chunk=cython.longlong,
               here=cython.longlong, ack=cython.longlong, need=cython.longlong)
cpdef object unhold(Segments segments, Spans spans, long long slot, long long release)

@cython.locals(start=cython.longlong, stop=cython.longlong, packet=cython.longlong, time=cython.longlong,
               before=cython.longlong)
cpdef object give_up(Segments segments, Spans spans, long long slot, long long release)

@cython.locals(before=cython.longlong)
cpdef object end(Segments segments, Spans spans, long long slot, long long packet, long long time, long long release)
