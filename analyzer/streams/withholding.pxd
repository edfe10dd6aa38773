cimport cython

from analyzer.streams.segments cimport Segments
from analyzer.streams.sequence cimport distance
from analyzer.streams.spans cimport Spans, emit, move

cdef int OVERLAP, FIN_DELIVERED
cdef long long RESET_AHEAD, LOST_PACKETS, LOST_TIME, HELD_LIMIT, HELD_TOTAL, UNTIMED

@cython.locals(other=cython.longlong, ahead=cython.longlong)
cpdef long long needed(Segments segments, long long slot, long long ack) except -1

cdef long long reached(Segments segments, long long slot) except -1

@cython.locals(queue=object, since=cython.longlong, kept=cython.longlong, row=cython.longlong)
cdef object withhold(Segments segments, Spans spans, long long slot, long long first, long long need)

@cython.locals(kind=cython.int, offset=cython.longlong, length=cython.longlong, packet=cython.longlong,
               at=cython.longlong, position=cython.longlong, time=cython.longlong, chunk=cython.longlong)
cpdef object let_pass(Segments segments, Spans spans, long long slot, long long reach, long long release)

cpdef object pass_on(Segments segments, Spans spans, long long slot, long long first, long long need, long long release)

@cython.locals(other=cython.longlong, need=cython.longlong, since=cython.longlong, began=cython.longlong,
               waited=cython.longlong)
cpdef object expire(Segments segments, Spans spans, long long slot, long long time, long long release)

cpdef bint overdue(long long since, long long time) noexcept
